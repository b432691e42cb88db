"""WIDER FACE's evaluation, exactly: scores normalised over the set, 1,000 thresholds, AP over the envelope.

Source: Yang et al., WIDER FACE, CVPR 2016, and its published evaluation code (wider_eval.m), whose
conventions are kept: every box is a pixel wider and higher than its coordinates say; a detection
belongs to the face it overlaps most; on a face outside the subset it is not counted at all; a second
one on the same face is a false alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.wider_ground_truth import SUBSETS, WiderImage
from benchmark.wider_predictions import Key, Rows

Floats = NDArray[np.float64]

THRESHOLDS = 1000
IOU = 0.5
MAX_PAIRS = 1_000_000
"""Overlaps computed at once: bounds the memory at about 100 MB whatever the number of detections."""


@dataclass(frozen=True, eq=False)
class SubsetResult:
    """Result on one subset.

    Attributes:
        ap: Average precision; NaN when the subset has no face.
        faces: Number of faces that count.
        precision, recall: float64 [1000], at falling thresholds of the normalised score.
    """

    ap: float
    faces: int
    precision: Floats
    recall: Floats


def wider_average_precision(
    truth: Sequence[WiderImage], predictions: Mapping[Key, Rows], iou: float = IOU
) -> dict[str, SubsetResult]:
    """Evaluate detections under the official protocol.

    Args:
        truth: Ground truth of the images to evaluate.
        predictions: (event, name) -> float64 [D, 5], each row (x_min, y_min, width, height, score),
            best score first; an absent image counts as one without detections.
        iou: Overlap from which on a detection is on a face.

    Returns:
        Subset ("easy", "medium", "hard") -> its result.
    """
    lowest, span = _score_range(predictions)
    proposals = {subset: np.zeros(THRESHOLDS, np.int64) for subset in SUBSETS}
    found = {subset: np.zeros(THRESHOLDS, np.int64) for subset in SUBSETS}
    faces = dict.fromkeys(SUBSETS, 0)
    for image in truth:
        for subset in SUBSETS:
            faces[subset] += int(image.keep[subset].sum())
        rows = predictions.get((image.event, image.name))
        if rows is None or not len(rows) or not len(image.boxes_xywh):
            continue
        # in the official order of operations: which side of a threshold a score falls depends on it
        bins = _first_threshold((rows[:, 4] - lowest) / span if span > 0 else np.ones(len(rows)))
        best, on_face = _best_face(rows[:, :4], image.boxes_xywh, iou)
        for subset in SUBSETS:
            kept = image.keep[subset][best]
            counted = ~on_face | kept
            _, first = np.unique(best[on_face & kept], return_index=True)
            hits = np.flatnonzero(on_face & kept)[first]
            proposals[subset] += np.bincount(bins[counted], minlength=THRESHOLDS)
            found[subset] += np.bincount(bins[hits], minlength=THRESHOLDS)
    return {subset: _result(proposals[subset], found[subset], faces[subset]) for subset in SUBSETS}


def _score_range(predictions: Mapping[Key, Rows]) -> tuple[float, float]:
    scores = [rows[:, 4] for rows in predictions.values() if len(rows)]
    lowest = min((float(one.min()) for one in scores), default=1.0)
    highest = max((float(one.max()) for one in scores), default=0.0)
    return min(lowest, 1.0), max(highest, 0.0) - min(lowest, 1.0)


_RISING = (1 - (np.arange(THRESHOLDS) + 1) / THRESHOLDS)[::-1].copy()
"""The official thresholds 0.999 .. 0, computed as the official code computes them, in rising order."""


def _first_threshold(scores: Floats) -> NDArray[np.intp]:
    """Index (0 is the highest) of the first threshold that each score reaches.

    A score below the last threshold, 0, cannot arise: the lowest score is normalised to 0.
    """
    return THRESHOLDS - np.searchsorted(_RISING, scores, side="right")


def _best_face(
    found_xywh: Floats, faces_xywh: Floats, iou: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The face that each detection overlaps most, and whether by at least `iou`."""
    step = max(1, MAX_PAIRS // len(faces_xywh))
    parts = [_overlap(found_xywh[at : at + step], faces_xywh) for at in range(0, len(found_xywh), step)]
    best = np.concatenate([part.argmax(axis=1) for part in parts])
    return best, np.concatenate([part.max(axis=1) for part in parts]) >= iou


def _overlap(found_xywh: Floats, faces_xywh: Floats) -> Floats:
    low = np.maximum(found_xywh[:, None, :2], faces_xywh[None, :, :2])
    found_end = found_xywh[:, :2] + found_xywh[:, 2:]
    faces_end = faces_xywh[:, :2] + faces_xywh[:, 2:]
    shared = np.clip(np.minimum(found_end[:, None], faces_end[None]) - low + 1, 0, None).prod(axis=2)
    found_area = (found_end - found_xywh[:, :2] + 1).prod(axis=1)
    faces_area = (faces_end - faces_xywh[:, :2] + 1).prod(axis=1)
    return np.asarray(shared / (found_area[:, None] + faces_area[None] - shared))


def _result(proposals: NDArray[np.int64], found: NDArray[np.int64], faces: int) -> SubsetResult:
    proposals, found = np.cumsum(proposals), np.cumsum(found)
    precision = np.divide(found, proposals, out=np.zeros(THRESHOLDS), where=proposals > 0)
    if not faces:
        return SubsetResult(float("nan"), 0, precision, np.full(THRESHOLDS, np.nan))
    recall = found / faces
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return SubsetResult(float(np.sum(np.diff(recall, prepend=0.0) * envelope)), faces, precision, recall)
