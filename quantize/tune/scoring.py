"""Average precision of a model file on labelled photographs, many files after one another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from calibration_data.images import load_rgb
from calibration_data.readers import LabelledImage
from model.evaluation.average_precision import SCORE_FLOOR, Matched, Truth, match
from model.foundation.errors import InputError
from model.geometry.boxes import detect
from model.geometry.letterbox import Letterbox, Pixels, letterbox
from model.geometry.spec import DetectorSpec
from model.runtime.running import RawOutputs, open_model

Part = Literal["search", "verify"]
Seen = Callable[[int, RawOutputs], None]

CACHED_IMAGES = 1024
"""Letterboxed images kept in memory: 0.3 GB at 320x320, 1.3 GB at 640x640."""


def score_file(
    model: Path,
    images: Sequence[LabelledImage],
    spec: DetectorSpec | None = None,
    seen: Seen | None = None,
) -> Matched:
    """Match what a TFLite or ONNX file finds with the labelled faces at IoU 0.5.

    Protocol: letterbox to the file's size, score floor 0.02, the spec's suppression (IoU 0.4), boxes in
    pixels of the image. Images stay decoded and letterboxed in memory for the next file.

    Args:
        model: The file, run with one thread.
        images: Labelled photographs.
        spec: For a file that carries none.
        seen: Is given each image's index and the file's raw outputs.

    Raises:
        InputError: there is no image, or the file cannot be opened or returns values that are not finite.
    """
    if not images:
        raise InputError("no labelled image to score on")
    running = open_model(model, spec)
    found, truth = [], []
    for index, image in enumerate(images):
        pixels, fitted = fitted_image(image.path, running.spec)
        outputs = running.run(pixels)
        if seen is not None:
            seen(index, outputs)
        found.append(fitted.to_image(detect(*outputs.values, running.spec, SCORE_FLOOR)))
        truth.append(Truth.of(image.boxes_xyxy, image.ignore, fitted.scale))
    return match(found, truth)


def fitted_image(path: Path, spec: DetectorSpec) -> tuple[Pixels, Letterbox]:
    """A photograph letterboxed to the spec's size, uint8 RGB [H, W, 3], read-only; kept in memory."""
    return _fitted(path, spec)


@lru_cache(maxsize=CACHED_IMAGES)
def _fitted(path: Path, spec: DetectorSpec) -> tuple[Pixels, Letterbox]:
    pixels, fitted = letterbox(load_rgb(path), spec)
    pixels.setflags(write=False)
    return pixels, fitted


def part_of(images: Sequence[LabelledImage], part: Part, count: int | None = None) -> list[LabelledImage]:
    """A fixed half of a labelled set: one to choose on, the other to verify the choice on.

    The SHA-256 of an image's name decides its half and its place, so that the halves are disjoint
    whatever `count` is, a smaller count is a subset of a larger one, and adding images moves none.

    Args:
        images: Labelled photographs. Never those that final figures are reported on.
        part: Which half.
        count: At most so many of it; all if None.

    Raises:
        InputError: the half is empty.
    """
    wanted = 0 if part == "search" else 1
    digests = {image.name: hashlib.sha256(image.name.encode()).digest() for image in images}
    chosen = [image for image in images if digests[image.name][0] % 2 == wanted]
    if not chosen:
        raise InputError(f"no image for the part {part!r} among {len(images)}; give a larger labelled set")
    return sorted(chosen, key=lambda image: digests[image.name][1:])[:count]
