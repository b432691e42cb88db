"""THE set of images: files with their labels, if there are any, and the ways to take a part of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from calibration_data.images import list_images
from calibration_data.readers import LabelledImage, read_labels
from model.foundation.errors import InputError

Half = Literal["search", "verify"]


@dataclass(frozen=True)
class ImageSet:
    """Images to run on.

    Attributes:
        name: For tables.
        images: Name -> file, in order.
        labels: Labelled images in the same order; None for a bare folder.
    """

    name: str
    images: dict[str, Path]
    labels: tuple[LabelledImage, ...] | None = None

    @classmethod
    def read(
        cls, images: Path, labels: Path | None = None, name: str | None = None, skip_absent: bool = False
    ) -> ImageSet:
        """Read a labelled set, or a bare folder when there are no labels.

        Args:
            images: Folder of photographs, which the labels' names are relative to.
            labels: See `read_labels`.
            name: Of the set; its folder's unless given.
            skip_absent: Leave out labelled images that are not there.

        Raises:
            InputError: the folder or the label file cannot be used.
        """
        if labels is None:
            paths = {path.relative_to(images).as_posix(): path for path in list_images(images)}
            return cls(name or images.name, paths)
        read = read_labels(labels, images, skip_absent=skip_absent)
        default = images.parent.name if images.name == "images" else images.name
        return cls(name or default, {one.name: one.path for one in read}, tuple(read))

    @classmethod
    def in_folder(cls, folder: Path) -> ImageSet:
        """Read a folder that holds `label.txt` and `images/`.

        Raises:
            InputError: as `read`.
        """
        return cls.read(folder / "images", folder / "label.txt", folder.name)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labelled(self) -> tuple[LabelledImage, ...]:
        """The labels of a set that must have some.

        Raises:
            InputError: it has none.
        """
        if self.labels is None:
            raise InputError(f"{self.name}: this needs labels; give --labels")
        return self.labels

    def sample(self, limit: int | None, seed: int) -> ImageSet:
        """At most `limit` images, drawn at random by `seed` but kept in order; all if None.

        Raises:
            InputError: a limit below 1.
        """
        if limit is None or limit >= len(self):
            return self
        _require(limit)
        return self._at(np.sort(np.random.default_rng(seed).choice(len(self), limit, replace=False)).tolist())

    def half(self, which: Half) -> ImageSet:
        """A fixed half: one to choose on, the other to verify the choice on.

        The SHA-256 of an image's name decides its half, so that adding images moves none to the other.

        Raises:
            InputError: the half is empty.
        """
        digests = [hashlib.sha256(name.encode()).digest()[0] for name in self.images]
        wanted = 0 if which == "search" else 1
        chosen = [place for place, digest in enumerate(digests) if digest % 2 == wanted]
        if not chosen:
            raise InputError(f"no image for the half {which!r} among {len(self)}; give a larger labelled set")
        return self._at(chosen)

    def _at(self, places: Sequence[int]) -> ImageSet:
        names = list(self.images)
        labels = None if self.labels is None else tuple(self.labels[place] for place in places)
        return replace(
            self, images={names[place]: self.images[names[place]] for place in places}, labels=labels
        )


def _require(limit: int) -> None:
    if limit < 1:
        raise InputError(f"--limit: expected at least 1 image, found {limit}")


def chance(key: str) -> float:
    """A number in [0, 1) that a text decides: below 0.08 it belongs to the 8 % that are held aside."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / 2**32
