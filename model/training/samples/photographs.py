"""The photographs a training draws on: folders with and without labels, and the part held aside."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration_data.image_set import chance
from calibration_data.images import list_images
from calibration_data.readers import LabelledImage, read_labels
from model.foundation.errors import InputError

HELD_ASIDE = 0.08
"""Share of every folder that is never trained on; it selects the weights."""

EVALUATION_NAME = re.compile(r"_(dev|val|test)\d*$")


@dataclass(frozen=True, eq=False)
class Photograph:
    """One photograph and what is known about its faces.

    Attributes:
        image: File and faces; no faces where `labelled` is False.
        folder: Name of the folder it came from.
        labelled: Whether a face that is not marked may be taken for background.
    """

    image: LabelledImage
    folder: str
    labelled: bool

    @property
    def key(self) -> str:
        """Name that stays the same wherever the data lies: folder/name."""
        return f"{self.folder}/{self.image.name}"

    @property
    def held_aside(self) -> bool:
        """Whether the photograph belongs to the part that selects weights, decided by its name's hash."""
        return chance(self.key) < HELD_ASIDE


def read_photographs(folders: Sequence[Path]) -> list[Photograph]:
    """Read training folders.

    Args:
        folders: Each holds `label.txt` and `images/` (or both below `train/`, as RetinaFace's copy of
            WIDER FACE does), or only photographs, which then are unlabelled.

    Raises:
        InputError: there is no folder, or one is absent, holds labels without their images or no
            photograph at all, or is named like an evaluation set.
    """
    if not folders:
        raise InputError(
            "name the folders of training photographs with --data: none were given, or none exist"
        )
    found: list[Photograph] = []
    for folder in folders:
        if EVALUATION_NAME.search(folder.name):
            raise InputError(f"{folder} is an evaluation set by its name: never train on it")
        found += read_folder(folder)
    return found


def unique(photographs: Sequence[Photograph]) -> list[Photograph]:
    """Photographs that are named several times once."""
    return list({photograph.key: photograph for photograph in photographs}.values())


def held_aside(photographs: Sequence[Photograph]) -> dict[str, list[LabelledImage]]:
    """Name of each labelled folder -> those of its photographs that select weights, each once."""
    sets: dict[str, list[LabelledImage]] = {}
    for photograph in unique(photographs):
        if photograph.labelled and photograph.held_aside:
            sets.setdefault(photograph.folder, []).append(photograph.image)
    return sets


def read_folder(folder: Path) -> list[Photograph]:
    """Read one folder, an evaluation set too; see `read_photographs`."""
    if not folder.is_dir():
        raise InputError(f"no such folder of photographs: {folder}")
    base = folder / "train" if (folder / "train" / "label.txt").is_file() else folder
    labels, images = base / "label.txt", base / "images"
    if labels.is_file():
        if not images.is_dir():
            raise InputError(f"{labels} is there but its photographs are not: expected the folder {images}")
        return [Photograph(image, folder.name, True) for image in read_labels(labels, images)]
    return [Photograph(_unlabelled(path, folder), folder.name, False) for path in list_images(folder)]


def _unlabelled(path: Path, folder: Path) -> LabelledImage:
    return LabelledImage(
        path,
        np.zeros((0, 4), np.float32),
        np.zeros((0, 5, 2), np.float32),
        np.zeros(0, bool),
        path.relative_to(folder).as_posix(),
    )
