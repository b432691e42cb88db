"""WIDER FACE's evaluation, exactly: scores normalised over the set, 1,000 thresholds, AP over the envelope.

Source: Yang et al., WIDER FACE, CVPR 2016, and its published evaluation code (wider_eval.m), whose
conventions are kept: every box is a pixel wider and higher than its coordinates say; a detection
belongs to the face it overlaps most; on a face outside the subset it is not counted at all; a second
one on the same face is a false alarm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy.wider.ground_truth import SUBSETS, WiderImage, read_wider_ground_truth
from benchmark.accuracy.wider.predictions import Key, Rows, read_wider_predictions

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


@dataclass(frozen=True, eq=False)
class SubsetMatched:
    """Detections of a set matched with the faces of one subset.

    Attributes:
        proposals: int [P, 2], (threshold reached, image) of each detection that counts.
        hits: int [H, 2], (threshold reached, image) of the first detection on each face of the subset.
        faces: int [images], faces of the subset in each image.
    """

    proposals: NDArray[np.int64]
    hits: NDArray[np.int64]
    faces: NDArray[np.int64]

    def result(self, weights: NDArray[np.int64] | None = None) -> SubsetResult:
        """The figures, with each image counted `weights` times (int [images]; once if None)."""
        each = np.ones(len(self.faces), np.int64) if weights is None else weights
        proposals = np.bincount(
            self.proposals[:, 0], each[self.proposals[:, 1]].astype(np.float64), THRESHOLDS
        )
        hits = np.bincount(self.hits[:, 0], each[self.hits[:, 1]].astype(np.float64), THRESHOLDS)
        return _result(proposals.astype(np.float64), hits.astype(np.float64), int((self.faces * each).sum()))


def wider_average_precision(
    truth: Sequence[WiderImage], predictions: Mapping[Key, Rows], iou: float = IOU
) -> dict[str, SubsetResult]:
    """Evaluate detections under the official protocol: `match_wider` and then each subset's result."""
    return {subset: one.result() for subset, one in match_wider(truth, predictions, iou).items()}


def match_wider(
    truth: Sequence[WiderImage], predictions: Mapping[Key, Rows], iou: float = IOU
) -> dict[str, SubsetMatched]:
    """Match detections with the faces of every subset.

    Args:
        truth: Ground truth of the images to evaluate.
        predictions: (event, name) -> float64 [D, 5], each row (x_min, y_min, width, height, score),
            best score first; an absent image counts as one without detections.
        iou: Overlap from which on a detection is on a face.

    Returns:
        Subset ("easy", "medium", "hard") -> its matches.
    """
    lowest, span = _score_range(predictions)
    proposals: dict[str, list[NDArray[np.int64]]] = {subset: [] for subset in SUBSETS}
    hits: dict[str, list[NDArray[np.int64]]] = {subset: [] for subset in SUBSETS}
    for number, image in enumerate(truth):
        rows = predictions.get((image.event, image.name))
        if rows is None or not len(rows) or not len(image.boxes_xywh):
            continue
        # in the official order of operations: which side of a threshold a score falls depends on it
        reached = _first_threshold((rows[:, 4] - lowest) / span if span > 0 else np.ones(len(rows)))
        tagged = np.stack([reached, np.full(len(rows), number)], axis=1)
        best, on_face = _best_face(rows[:, :4], image.boxes_xywh, iou)
        for subset in SUBSETS:
            kept = image.keep[subset][best]
            proposals[subset].append(tagged[~on_face | kept])
            _, first = np.unique(best[on_face & kept], return_index=True)
            hits[subset].append(tagged[on_face & kept][first])
    return {
        subset: SubsetMatched(
            np.concatenate([np.empty((0, 2), np.int64), *proposals[subset]]),
            np.concatenate([np.empty((0, 2), np.int64), *hits[subset]]),
            np.asarray([image.keep[subset].sum() for image in truth], np.int64),
        )
        for subset in SUBSETS
    }


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


def _result(proposals: Floats, found: Floats, faces: int) -> SubsetResult:
    proposals, found = np.cumsum(proposals), np.cumsum(found)
    precision = np.divide(found, proposals, out=np.zeros(THRESHOLDS), where=proposals > 0)
    if not faces:
        return SubsetResult(float("nan"), 0, precision, np.full(THRESHOLDS, np.nan))
    recall = found / faces
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return SubsetResult(float(np.sum(np.diff(recall, prepend=0.0) * envelope)), faces, precision, recall)


@dataclass(frozen=True)
class OfficialResult:
    """WIDER FACE's evaluation of a folder of predictions.

    Attributes:
        iou: Overlap of a hit.
        images: Number of images that count.
        present_only: Whether images without a file were left out.
        ap: Subset -> AP in 0..1; None without faces.
        faces: Subset -> number of faces that count.
        missing_events, missing_files, notes: See `Predictions`.
    """

    iou: float
    images: int
    present_only: bool
    ap: dict[str, float | None]
    faces: dict[str, int]
    missing_events: tuple[str, ...]
    missing_files: tuple[str, ...]
    notes: list[str]
    protocol: str = "WIDER FACE"


def evaluate_predictions(
    predictions: Path, ground_truth: Path, iou: float = IOU, present_only: bool = False
) -> OfficialResult:
    """Evaluate a folder of predictions against the official ground truth.

    Raises:
        InputError: a folder or file cannot be used.
    """
    truth = read_wider_ground_truth(ground_truth)
    found = read_wider_predictions(predictions, [(image.event, image.name) for image in truth])
    notes = found.describe()
    if present_only:
        truth = [image for image in truth if (image.event, image.name) in found.rows]
        notes = list(found.notes)
    result = wider_average_precision(truth, found.rows, iou)
    return OfficialResult(
        iou=iou,
        images=len(truth),
        present_only=present_only,
        ap={name: None if math.isnan(one.ap) else one.ap for name, one in result.items()},
        faces={name: one.faces for name, one in result.items()},
        missing_events=found.missing_events,
        missing_files=found.missing_files,
        notes=notes,
    )
