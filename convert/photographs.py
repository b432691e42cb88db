"""Network inputs for parity, from a folder of images."""

from __future__ import annotations

import sys
from pathlib import Path

from calibration_data.images import ReadableImages, describe_broken, list_images
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels, letterbox
from model.geometry.spec import DetectorSpec


def parity_inputs(folder: Path, spec: DetectorSpec, count: int) -> list[Pixels]:
    """The first `count` readable images below `folder`, letterboxed: uint8 RGB [H, W, 3] each.

    Raises:
        InputError: no such folder, or no readable image in it.
    """
    readable = ReadableImages(list_images(folder))
    inputs: list[Pixels] = []
    for _, image in readable:
        inputs.append(letterbox(image, spec)[0])
        if len(inputs) == count:
            break
    if broken := describe_broken(readable.broken):
        print(broken, file=sys.stderr)
    if not inputs:
        raise InputError(f"no readable image in {folder}")
    return inputs
