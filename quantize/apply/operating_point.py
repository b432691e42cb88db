"""The score at which a quantized file finds as many faces as its float file finds at its own threshold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.geometry.boxes import detect
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.runtime.running import Answers

LEAST_DETECTIONS = 150
"""Fewer say too little: the few whose scores are near the threshold would decide.

V2's int8 file at 320 finds, by 111 detections on composed pictures, 3.4 and 4.8 % more faces than float on
fddb_dev and mask_dev; by 173 on photographs, 1.0 and 0.6 %.
"""
LEAST_SHARE = 0.5
"""A threshold is looked for from this share of the float file's upwards."""
DECIMALS = 4
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class OperatingPoint:
    """Two thresholds at which a float file and its quantized one find equally many faces.

    Without labels false faces cannot be told from true ones; as the same photographs are shown to both
    files, equally many detections are equally many false ones as long as the faces found are the same.

    Attributes:
        images: Photographs that it was measured on.
        float_threshold: Score of the float file.
        threshold: Score of the quantized file.
        float_detections: The float file's detections above its threshold.
        unmoved_detections: The quantized file's above the float file's threshold.
        detections: The quantized file's above its own.
    """

    images: int
    float_threshold: float
    threshold: float
    float_detections: int
    unmoved_detections: int
    detections: int

    def describe(self) -> str:
        """One line."""
        return (
            f"shows faces above a score of {self.threshold:g}, where it finds {self.detections} on "
            f"{self.images} calibration images; the float file finds {self.float_detections} above "
            f"{self.float_threshold:g}, where this one finds {self.unmoved_detections}"
        )


def measure_operating_point(
    reference: Answers, quantized: Answers, images: Iterable[Pixels], spec: DetectorSpec
) -> OperatingPoint | None:
    """Find the threshold at which a quantized file finds as many faces as the float file.

    Args:
        reference: The float file.
        quantized: The file that was made from it.
        images: uint8 RGB [H, W, 3] of the spec's size, with faces.
        spec: The float file's; its threshold is what the float file is used at.

    Returns:
        None where the float file finds fewer than LEAST_DETECTIONS.
    """
    count, wanted, found = 0, 0, []
    for image in images:
        count += 1
        wanted += len(detect(*reference(image), spec))
        # What stands above a score does not depend on what was dropped below it.
        found.append(detect(*quantized(image), spec, LEAST_SHARE * spec.score_threshold).scores)
    if wanted < LEAST_DETECTIONS:
        return None
    scores = np.concatenate(found)
    threshold = matching_threshold(scores, wanted, spec.score_threshold)
    unmoved, moved = (int((scores > one).sum()) for one in (spec.score_threshold, threshold))
    return OperatingPoint(count, spec.score_threshold, threshold, wanted, unmoved, moved)


def matching_threshold(scores: Scores, wanted: int, start: float) -> float:
    """The threshold nearest to `start` with as many scores above it as wanted, or as near as can be.

    Args:
        scores: float32 [K].
        wanted: How many should be above.
        start: Threshold to stay at if no other is better.

    Returns:
        `start`, or the middle between two neighbouring scores, so that a rounding moves no detection.
    """
    levels = np.unique(np.append(scores, LEAST_SHARE * start).astype(np.float64))
    thresholds = np.append(start, np.unique(np.round((levels[1:] + levels[:-1]) / 2, DECIMALS)))
    above = len(scores) - np.searchsorted(np.sort(scores), thresholds.astype(np.float32), side="right")
    best = np.lexsort((np.abs(thresholds - start), np.abs(above - wanted)))[0]
    return float(thresholds[best])
