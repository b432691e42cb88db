"""The threshold that gives a quantized file the float file's number of detections, on made-up scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from model.geometry.spec import DetectorSpec
from model.runtime.running import Answer
from quantize.apply.operating_point import matching_threshold, measure_operating_point

SPEC = DetectorSpec(
    "cells", 64, 64, strides=(8,), anchor_sizes=((1,),), decoder="boxes:corners", score_channels=1, points=0
)


def _answers(changed: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], Answer]:
    """A cell's box is the cell, so that no two overlap; its score is the mean of its pixels / 255."""
    corner = np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2) * 8
    boxes = np.concatenate([corner, corner + 8], axis=1).astype(np.float32)

    def answer(pixels: np.ndarray) -> Answer:
        scores = pixels[::8, ::8, 0].reshape(-1, 1).astype(np.float32) / 255
        return boxes[None], changed(scores).astype(np.float32)[None], np.zeros((1, 64, 0), np.float32)

    return answer


def _pictures(count: int, scale: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    small = (rng.integers(0, 256, (count, 8, 8, 1)) * scale).astype(np.uint8)
    return [np.repeat(np.repeat(one, 8, 0), 8, 1).repeat(3, 2) for one in small]


def test_the_same_scores_keep_the_threshold() -> None:
    found = measure_operating_point(_answers(lambda s: s), _answers(lambda s: s), _pictures(8), SPEC)
    assert found is not None
    assert found.threshold == found.float_threshold == 0.5
    assert found.float_detections == found.unmoved_detections == found.detections
    assert found.images == 8


@pytest.mark.parametrize("shift", [-0.1, 0.08])
def test_a_shift_of_all_scores_shifts_the_threshold(shift: float) -> None:
    pictures = _pictures(8)
    moved = _answers(lambda s: np.clip(s + shift, 0, 1))
    found = measure_operating_point(_answers(lambda s: s), moved, pictures, SPEC)
    assert found is not None
    assert found.threshold == pytest.approx(0.5 + shift, abs=1 / 255)
    by_hand = sum(int((picture[::8, ::8, 0] > 127.5).sum()) for picture in pictures)
    assert found.float_detections == found.detections == by_hand
    assert (found.unmoved_detections > by_hand) == (shift > 0)


def test_too_few_detections_say_nothing() -> None:
    dark = _pictures(4, scale=0.4)
    assert measure_operating_point(_answers(lambda s: s), _answers(lambda s: s + 0.3), dark, SPEC) is None
    assert measure_operating_point(_answers(lambda s: s), _answers(lambda s: s), [], SPEC) is None


@pytest.mark.parametrize(
    ("scores", "wanted", "threshold"),
    [
        ([0.9, 0.8, 0.7, 0.6], 3, 0.65),
        ([0.9, 0.8, 0.4, 0.3], 2, 0.5),  # nothing better: it stays
        ([0.75, 0.75, 0.75, 0.6], 2, 0.675),  # a tie goes whole, to the side that is nearer
        ([0.45, 0.4], 0, 0.5),
        ([0.45, 0.4], 2, 0.325),  # half-way to the score down to which is looked
    ],
)
def test_thresholds_by_hand(scores: list[float], wanted: int, threshold: float) -> None:
    assert matching_threshold(np.array(scores, np.float32), wanted, 0.5) == pytest.approx(threshold, abs=1e-4)
