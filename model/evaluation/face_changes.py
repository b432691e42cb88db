"""Which faces a candidate loses, gains and moves against a reference, image by image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.average_precision import Truth
from model.geometry.boxes import Detections, iou_matrix

SHOWN_SCORE = 0.5
"""An app shows a face above this score."""
SAME_FACE_IOU = 0.5
"""Two boxes are of one face from here on: the overlap at which AP counts a face as found."""
UNMOVED_IOU = 0.9
"""From here on nobody sees that the box is another."""


@dataclass(frozen=True, eq=False)
class FaceChanges:
    """Faces shown (score above the threshold) by a reference and by a candidate in one image.

    Attributes:
        lost: Indices of the reference's faces that the candidate does not show.
        gained: Indices of the candidate's faces that the reference does not show.
        pairs: int [P, 2], (reference, candidate) of the faces that both show.
        iou: float64 [P], overlap of each pair.
        score_change: float64 [P], candidate - reference.
        landmark_shift: float64 [P], mean distance of the five points, as a share of the box's height.
        lost_true, gained_true: How many of the lost and the gained are labelled faces; None without labels.
    """

    lost: NDArray[np.intp]
    gained: NDArray[np.intp]
    pairs: NDArray[np.intp]
    iou: NDArray[np.float64]
    score_change: NDArray[np.float64]
    landmark_shift: NDArray[np.float64]
    lost_true: int | None = None
    gained_true: int | None = None

    @property
    def moved(self) -> NDArray[np.intp]:
        """The pairs, int [M, 2], whose boxes overlap by less than 0.9."""
        return self.pairs[self.iou < UNMOVED_IOU]

    @property
    def severity(self) -> float:
        """Orders images, worst first: a lost or gained face counts 1, a moved one what its overlap lacks."""
        return len(self.lost) + len(self.gained) + float((1 - self.iou[self.iou < UNMOVED_IOU]).sum())


def compare_faces(reference: Detections, candidate: Detections, truth: Truth | None = None) -> FaceChanges:
    """Pair the faces of two models, each with one of its class, greatest overlap first (at least 0.5).

    Args:
        reference, candidate: Detections that are shown, in pixels of the image.
        truth: The labels, to tell a lost face from a lost false alarm.
    """
    overlap = iou_matrix(reference.boxes_xyxy, candidate.boxes_xyxy).astype(np.float64)
    overlap[reference.classes[:, None] != candidate.classes[None]] = 0
    pairs = _greedy_pairs(overlap)
    first, second = pairs[:, 0], pairs[:, 1]
    lost = np.setdiff1d(np.arange(len(reference)), first)
    gained = np.setdiff1d(np.arange(len(candidate)), second)
    height = np.maximum(reference.boxes_xyxy[first, 3] - reference.boxes_xyxy[first, 1], 1e-6)
    shifts = np.linalg.norm(candidate.landmarks[second] - reference.landmarks[first], axis=2)
    distance = shifts.sum(axis=1) / max(1, shifts.shape[1])  # a detector may have no landmarks
    return FaceChanges(
        lost=lost,
        gained=gained,
        pairs=pairs,
        iou=overlap[first, second],
        score_change=(candidate.scores[second] - reference.scores[first]).astype(np.float64),
        landmark_shift=(distance / height).astype(np.float64),
        lost_true=None if truth is None else _labelled(reference, lost, truth),
        gained_true=None if truth is None else _labelled(candidate, gained, truth),
    )


def _greedy_pairs(overlap: NDArray[np.float64]) -> NDArray[np.intp]:
    rows, columns = np.nonzero(overlap >= SAME_FACE_IOU)
    order = np.argsort(-overlap[rows, columns], kind="stable")
    used_rows, used_columns, pairs = set(), set(), []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in used_rows and column not in used_columns:
            used_rows.add(row)
            used_columns.add(column)
            pairs.append((row, column))
    return np.asarray(sorted(pairs), np.intp).reshape(-1, 2)


def _labelled(found: Detections, chosen: NDArray[np.intp], truth: Truth) -> int:
    overlap = iou_matrix(found.boxes_xyxy[chosen], truth.boxes_xyxy[~truth.ignore])
    overlap[found.classes[chosen][:, None] != truth.classes[~truth.ignore][None]] = 0
    return int((overlap.max(axis=1, initial=0.0) >= SAME_FACE_IOU).sum())
