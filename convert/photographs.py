"""The photographs that differences are measured on, as network inputs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from calibration_data.images import ReadableImages, describe_broken, list_images
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels, letterbox
from model.geometry.spec import DetectorSpec

PARITY_IMAGES = 24
"""So many photographs tell how far two models differ."""


def parity_inputs(folder: Path, spec: DetectorSpec, count: int = PARITY_IMAGES) -> list[Pixels]:
    """The first `count` readable images below `folder`, letterboxed: uint8 RGB [H, W, 3] each.

    Raises:
        InputError: no such folder, or no readable image in it.
    """
    return readable_inputs(list_images(folder), spec, count)


def readable_inputs(files: Iterable[Path], spec: DetectorSpec, count: int | None = None) -> list[Pixels]:
    """The first `count` of the files that are readable, or all, letterboxed; says what it skips.

    Raises:
        InputError: none is readable.
    """
    readable = ReadableImages(files)
    inputs = [letterbox(image, spec)[0] for _, image in islice(readable, count)]
    if broken := describe_broken(readable.broken):
        print(broken, file=sys.stderr)
    if not inputs:
        raise InputError("no readable image to measure differences on")
    return inputs
