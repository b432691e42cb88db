"""Faces lost, gained and moved between two models."""

from __future__ import annotations

import numpy as np
import pytest

from model.evaluation.average_precision import Truth
from model.evaluation.face_changes import compare_faces
from model.geometry.boxes import Detections


def shown(boxes: list[list[float]], scores: list[float]) -> Detections:
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.asarray(scores, np.float32), np.zeros((len(array), 5, 2), np.float32))


def test_faces_lost_gained_and_moved() -> None:
    reference = shown([[0, 0, 10, 10], [20, 0, 30, 10], [50, 0, 60, 10]], [0.9, 0.8, 0.7])
    candidate = shown([[50, 0, 60, 12], [0, 0, 10, 10], [80, 0, 90, 10]], [0.6, 0.9, 0.5])
    truth = Truth.of(np.asarray([[20, 0, 30, 10]], np.float32))
    changes = compare_faces(reference, candidate, truth)
    assert (changes.lost.tolist(), changes.gained.tolist()) == ([1], [2])
    assert changes.pairs.tolist() == [[0, 1], [2, 0]]
    assert changes.moved.tolist() == [[2, 0]]
    assert (changes.lost_true, changes.gained_true) == (1, 0)
    assert changes.score_change == pytest.approx([0, -0.1], abs=1e-6)
    assert changes.severity == pytest.approx(2 + 1 - 10 / 12)


def test_no_faces_no_changes() -> None:
    nothing = shown([], [])
    assert compare_faces(nothing, nothing).severity == 0
    assert compare_faces(shown([[0, 0, 9, 9]], [0.9]), nothing).lost.tolist() == [0]


@pytest.mark.filterwarnings("error")
def test_a_detector_without_landmarks_shifts_none() -> None:
    box = np.float32([[0, 0, 10, 10]])
    bare = Detections(box, np.float32([0.9]), np.zeros((1, 0, 2), np.float32))
    assert compare_faces(bare, bare).landmark_shift.tolist() == [0]
