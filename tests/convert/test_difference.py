"""The one comparison: against figures computed by hand, and where something is not comparable."""

from __future__ import annotations

import numpy as np
import pytest

from convert.difference import (
    SILENT_DB,
    TensorDifference,
    TensorSums,
    decibel,
    measure_difference,
    require_close,
    require_same_faces,
)
from model.foundation.errors import GateError
from model.foundation.records import from_json, to_json
from model.runtime.running import Answers, open_model
from tests.conftest import Converted


def test_nothing_was_added() -> None:
    assert TensorSums().result() == TensorDifference(0.0, None, 0.0, 0.0, 0)


def test_figures_of_two_images() -> None:
    sums = TensorSums()
    sums.add(np.float32([3, -4]), np.float32([3, -4]))
    sums.add(np.float32([0, 12]), np.float32([1, 12]))
    found = sums.result()
    assert (found.max_error, found.mean_error, found.largest, found.identical) == (1, 0.25, 12, 1)
    assert found.sqnr_db == pytest.approx(10 * np.log10(9 + 16 + 144))
    assert found.share == 1 / 12
    assert from_json(TensorDifference, to_json(found), "here") == found


def test_integers_are_compared_beyond_their_type() -> None:
    sums = TensorSums()
    sums.add(np.int8([-128, 127]), np.int8([127, -128]))
    assert sums.result().max_error == 255


@pytest.mark.parametrize(
    ("signal", "noise", "expected"), [(0, 0, None), (1, 0, None), (100, 1, 20.0), (0, 1, SILENT_DB)]
)
def test_decibels(signal: float, noise: float, expected: float | None) -> None:
    assert decibel(signal, noise) == expected


def test_noise_on_silence_is_no_small_share() -> None:
    sums = TensorSums()
    sums.add(np.zeros(2, np.float32), np.ones(2, np.float32))
    assert not sums.result().share <= 1e9


def test_nan_never_passes_a_gate() -> None:
    sums = TensorSums()
    sums.add(np.ones(2), np.array([1, np.nan]))
    sums.add(np.ones(2), np.ones(2))
    with pytest.raises(GateError):
        require_close({"scores": sums.result()}, {"scores": 1e-3}, "test")


def test_a_drifted_output_fails_the_gate_by_name(converted: Converted) -> None:
    run = open_model(converted.float32)

    def bent(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        boxes, scores, landmarks = run(pixels)
        return boxes, scores + np.float32(0.01), landmarks

    found = measure_difference(run, bent, converted.photographs, converted.spec)
    boxes = found.outputs["boxes"]
    assert (boxes.max_error, boxes.sqnr_db, boxes.identical) == (0, None, len(converted.photographs))
    with pytest.raises(GateError, match=r"worst is scores, off by 0\.01"):
        require_close(found.outputs, {"scores": 1e-3, "boxes": 1e-3}, "test")


def test_what_was_lost_and_gained_is_counted(converted: Converted) -> None:
    """Against an implementation that compares thresholded scores one by one."""
    run = open_model(converted.float32)
    shift = np.float32(0.2)

    def bent(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        boxes, scores, landmarks = run(pixels)
        return boxes, scores - shift, landmarks

    found = measure_difference(run, bent, converted.photographs, converted.spec)
    scores = [run(x)[1].reshape(-1).tolist() for x in converted.photographs]
    assert found.anchors == sum(s > 0.5 for one in scores for s in one)
    lost = sum(s > 0.5 and not np.float32(s) - shift > 0.5 for one in scores for s in one)
    assert found.anchors_lost == lost
    assert found.anchors_gained == 0
    assert found.faces > 0
    assert found.faces_kept <= found.faces_found <= found.faces


@pytest.mark.parametrize(
    ("score", "other", "message"),
    [
        (0.52, 0.47, None),
        (0.47, 0.52, None),
        (0.52, 0.38, "1 of the integer file's 2 faces are not found, and 0 of 1"),
        (0.38, 0.52, "0 of the integer file's 1 faces are not found, and 1 of 2"),
    ],
)
def test_a_tie_may_push_a_face_over_the_threshold_and_no_more(
    score: float, other: float, message: str | None, converted: Converted
) -> None:
    def answers(doubtful: float) -> Answers:
        boxes, scores, landmarks = (np.zeros(shape, np.float32) for shape in converted.spec.output_shapes)
        scores[0, 0, -1], scores[0, -1, -1] = 0.9, doubtful  # the first and the last anchor: far apart
        return lambda _: (boxes, scores, landmarks)

    def compare() -> None:
        require_same_faces(answers(score), answers(other), converted.photographs[:1], converted.spec, "it")

    if message is None:
        compare()
    else:
        with pytest.raises(GateError, match=message):
            compare()
