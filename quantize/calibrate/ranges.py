"""Activation ranges of a checkpoint's float files as JSON, tied to that checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.foundation.artifact import Artifact, sha256_of
from model.foundation.errors import InputError
from model.foundation.records import read_record, write_record
from quantize.calibrate.estimators import Range

Bounds = dict[str, Range]
"""Activation of the float file -> the range that its integers span."""
Ranges = dict[str, dict[str, Range]]
"""Activation of the float file -> estimator -> (low, high)."""


def bounds_by(ranges: Ranges, estimator: str) -> Bounds:
    """What one estimator says.

    Raises:
        InputError: the ranges were measured without it.
    """
    if any(estimator not in of_tensor for of_tensor in ranges.values()):
        raise InputError(
            f"the ranges hold no {estimator} bounds; measure them anew with 'python -m quantize ranges'"
        )
    return {name: of_tensor[estimator] for name, of_tensor in ranges.items()}


@dataclass(frozen=True)
class SizeRanges:
    """Ranges measured at one input size.

    Attributes:
        images: Facts about the images they were measured on.
        ranges: Activation -> a low and a high for each estimator, to the last bit of single precision.
        estimators: In that order. Files of the time before estimators were named have these five, or the
            first two.
    """

    images: dict[str, Any]
    ranges: dict[str, tuple[float, ...]]
    estimators: tuple[str, ...] = ("min_max", "mean_min_max", "percentile", "mse", "entropy")

    def __post_init__(self) -> None:
        for name, ends in self.ranges.items():
            count = len(ends) // 2
            whole = len(ends) == 2 * count and 0 < count <= len(self.estimators)
            if not whole or any(a > b for a, b in zip(ends[::2], ends[1::2], strict=True)):
                raise ValueError(f"{name}: expected a low and a high for each estimator, found {list(ends)}")

    @classmethod
    def of(cls, ranges: Ranges, images: dict[str, Any]) -> SizeRanges:
        """Ranges as they are stored."""
        estimators = tuple(next(iter(ranges.values()), {}))
        packed = {
            name: tuple(float(f"{end:.9g}") for estimator in estimators for end in of_tensor[estimator])
            for name, of_tensor in ranges.items()
        }
        return cls(images, packed, estimators)

    def unpacked(self) -> Ranges:
        """The inverse of `of`."""
        return {
            name: dict(zip(self.estimators, zip(values[::2], values[1::2], strict=True), strict=False))
            for name, values in self.ranges.items()
        }


@dataclass(frozen=True)
class RangesFile:
    """Ranges at several input sizes.

    Attributes:
        checkpoint_sha256: Of the checkpoint they belong to.
        sizes: "HEIGHTxWIDTH" in pixels -> ranges.
    """

    checkpoint_sha256: str
    sizes: dict[str, SizeRanges]


def checkpoint_hash(model: Path, checkpoint: Path | None) -> str:
    """SHA-256 of the checkpoint that a float file was made from, as the record beside it says.

    Args:
        model: The file.
        checkpoint: Must be that checkpoint, if given; its word is taken where the file has no record.

    Raises:
        InputError: it is another one, or nobody says which.
    """
    if checkpoint is not None and not Artifact.record_path(model).is_file():
        return sha256_of(checkpoint)
    made = Artifact.load(model)
    if checkpoint is not None:
        made.require_made_from(checkpoint)
    found = made.source("checkpoint").get("sha256")
    if found is None:
        raise InputError(
            f"the record of {model} names no checkpoint: say with --checkpoint what it was made from"
        )
    return str(found)


def calibration_facts(manifests: Sequence[Path], count: int) -> dict[str, Any]:
    """What `SizeRanges.images` says of images that manifests chose."""
    named = [{"file": one.name, "sha256": sha256_of(one)} for one in manifests]
    return {"count": count, "manifests": named}


def write_ranges(path: Path, checkpoint_sha256: str, sizes: Mapping[str, SizeRanges]) -> None:
    """Keep the ranges of a checkpoint; see `RangesFile`."""
    write_record(path, RangesFile(checkpoint_sha256, dict(sizes)))


def read_ranges(path: Path, checkpoint_sha256: str, height: int, width: int) -> tuple[Ranges, str]:
    """Read the ranges for a checkpoint at an input size, or at the nearest size that was measured.

    Returns:
        The ranges and the size they were measured at, "HEIGHTxWIDTH".

    Raises:
        InputError: unreadable, or measured for another checkpoint.
    """
    kept = read_record(path, RangesFile)
    if kept.checkpoint_sha256 != checkpoint_sha256:
        raise InputError(
            f"{path} was measured for another checkpoint; measure again with 'python -m quantize ranges', "
            "or calibrate on images"
        )

    def distance(size: str) -> float:
        other_height, other_width = (int(side) for side in size.split("x"))
        return abs(math.log(height * width / (other_height * other_width)))

    nearest = min(kept.sizes, key=distance)
    return kept.sizes[nearest].unpacked(), nearest
