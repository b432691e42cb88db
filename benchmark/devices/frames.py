"""Photographs as the raw frames that a model's input takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration_data.images import list_images, load_rgb
from model.foundation.errors import InputError
from model.geometry.letterbox import letterbox
from model.runtime.running import open_model


@dataclass(frozen=True)
class Frames:
    """A file of raw frames.

    Attributes:
        path: The file, all frames one after another.
        images: The photograph of each frame.
    """

    path: Path
    images: tuple[Path, ...]


def write_frames(model: Path, images: Sequence[Path], target: Path) -> Frames:
    """Letterbox photographs into a model's input and write them as the input's own type.

    Args:
        model: A TFLite file of the project: uint8 RGB or float32 RGB in 0..255, [1, H, W, 3].
        images: Photographs.
        target: Where the frames go.

    Raises:
        InputError: the model carries no spec or takes another type, or a photograph is unreadable.
    """
    opened = open_model(model)
    dtype = input_dtype(model)
    with target.open("wb") as stream:
        for image in images:
            pixels, _ = letterbox(load_rgb(image), opened.spec)
            stream.write(pixels.astype(dtype).tobytes())
    return Frames(target, tuple(images))


def input_dtype(model: Path) -> type[np.uint8] | type[np.float32]:
    """The element type of a TFLite file's input.

    Raises:
        InputError: it is neither uint8 nor float32.
    """
    from ai_edge_litert.interpreter import Interpreter

    detail = Interpreter(str(model)).get_input_details()[0]
    for dtype in (np.uint8, np.float32):
        if detail["dtype"] == dtype:
            return dtype
    raise InputError(
        f"{model}: expected an input of uint8 or float32, found {np.dtype(detail['dtype']).name}"
    )


def chosen_images(folder: Path, limit: int | None) -> list[Path]:
    """The photographs of a folder in the order of their names, at most `limit`, evenly spread over them.

    Raises:
        InputError: there is none.
    """
    images = list_images(folder)
    if limit is None or limit >= len(images):
        return images
    places = np.linspace(0, len(images) - 1, limit).round().astype(int)
    return [images[place] for place in places]


def read_outputs(
    folder: Path, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str]
) -> list[NDArray[np.generic]]:
    """Read what `Machine.run` wrote: one array an output, [frames, *shape without the leading 1].

    Raises:
        InputError: a file does not hold whole frames.
    """
    arrays = []
    for index, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
        path = folder / f"{index}.raw"
        values = np.fromfile(path, dtype)
        size = int(np.prod(shape))
        if values.size % size:
            raise InputError(f"{path}: {values.size} values are no multiple of {size}")
        arrays.append(values.reshape(-1, *shape[1:]))
    return arrays
