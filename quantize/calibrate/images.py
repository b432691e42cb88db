"""The images that something is calibrated on: those that manifests name, in turn, letterboxed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path

from calibration_data.selection import read_manifest
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels, letterbox
from model.geometry.spec import DetectorSpec

DEMO_SET_WARNING = (
    "CALIBRATED ON THE DEMO SET, one person's portrait and a hundred tiny grey faces: for a first try only. "
    "Give a folder of a few hundred photographs of the intended use: CALIBRATION=folder"
)


class CalibrationImages:
    """Images of several manifests in turn, so that the first n are of all of them.

    Iterating gives uint8 RGB [H, W, 3] of the spec's size each; an image that is gone or changed is an
    InputError there.
    """

    def __init__(self, manifests: Sequence[Path], spec: DetectorSpec, count: int | None = None) -> None:
        """
        Args:
            manifests: Files that `calibration_data select` wrote.
            spec: The size to letterbox to.
            count: At most so many; all if None.

        Raises:
            InputError: there is no manifest, or one is unreadable.
        """
        if not manifests:
            raise InputError("give selected images with --calibration: what 'calibration_data select' wrote")
        self._manifests, self._spec = [read_manifest(path) for path in manifests], spec
        if all(one.is_demo_set for one in self._manifests):
            logging.getLogger(__name__).warning(DEMO_SET_WARNING)
        total = sum(len(one.files) for one in self._manifests)
        self._count = total if count is None else min(count, total)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Pixels]:
        rows = zip_longest(*(one.load() for one in self._manifests))
        present = (image for image in chain.from_iterable(rows) if image is not None)
        return (letterbox(image, self._spec)[0] for image in islice(present, self._count))
