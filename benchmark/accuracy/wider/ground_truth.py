"""WIDER FACE's official ground truth: the faces of every image and which ones each subset keeps."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.foundation.errors import InputError

SUBSETS = ("easy", "medium", "hard")

_UNREADABLE = (
    ValueError,
    TypeError,
    NotImplementedError,
    OSError,
    EOFError,
    KeyError,
    IndexError,
    zlib.error,
)
"""What scipy raises, beside its own error, on files that are no .mat file, of another version, or damaged."""


@dataclass(frozen=True, eq=False)
class WiderImage:
    """The ground truth of one image.

    Attributes:
        event: Folder of the image, e.g. "0--Parade".
        name: File name without its suffix.
        boxes_xywh: float64 [K, 4], each row (x_min, y_min, width, height) in pixels.
        keep: Subset -> bool [K]; faces that count there. The others may be found but need not be.
    """

    event: str
    name: str
    boxes_xywh: NDArray[np.float64]
    keep: dict[str, NDArray[np.bool_]]


def read_wider_ground_truth(folder: Path) -> list[WiderImage]:
    """Read `wider_face_val.mat` and `wider_{easy,medium,hard}_val.mat`.

    Returns:
        All images in the order of the official files.

    Raises:
        InputError: a file is absent, damaged, or the files contradict one another.
    """
    faces = _load(folder / "wider_face_val.mat", ("event_list", "file_list", "face_bbx_list"))
    kept = {name: _load(folder / f"wider_{name}_val.mat", ("gt_list",))["gt_list"] for name in SUBSETS}
    try:
        return _images(faces, kept)
    except (IndexError, ValueError, TypeError) as error:
        raise InputError(
            f"{folder}: the .mat files are not WIDER FACE's or contradict one another ({error})"
        ) from None


def _load(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise InputError(f"no such file: {path}; WIDER FACE's evaluation tools carry it in ground_truth/")
    try:
        value: dict[str, Any] = loadmat(str(path), variable_names=keys)
    except (MatReadError, *_UNREADABLE) as error:
        raise InputError(f"{path}: not a readable .mat file ({error})") from None
    if absent := [key for key in keys if key not in value]:
        raise InputError(f"{path}: expected {', '.join(keys)}, {', '.join(absent)} missing")
    return value


def _images(faces: dict[str, Any], kept: dict[str, Any]) -> list[WiderImage]:
    result = []
    for number, (event,) in enumerate(faces["event_list"]):
        names, boxes = faces["file_list"][number, 0], faces["face_bbx_list"][number, 0]
        for index in range(len(names)):
            name = str(names[index, 0][0])
            xywh = np.asarray(boxes[index, 0], np.float64).reshape(-1, 4)
            keep = {subset: np.zeros(len(xywh), bool) for subset in SUBSETS}
            for subset, mask in keep.items():
                one_based = np.asarray(kept[subset][number, 0][index, 0], np.int64).reshape(-1)
                if one_based.size and not 1 <= one_based.min() <= one_based.max() <= len(xywh):
                    raise ValueError(f"the {subset} list of {name} names a face that is not there")
                mask[one_based - 1] = True
            result.append(WiderImage(str(event[0]), name, xywh, keep))
    return result
