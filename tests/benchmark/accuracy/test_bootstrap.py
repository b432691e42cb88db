"""Intervals of a difference between two models on the same images."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.accuracy.bootstrap import paired_difference, resampled_images
from model.evaluation.average_precision import Truth, match
from model.geometry.boxes import Detections


def shown(boxes: list[list[float]], scores: list[float]) -> Detections:
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.asarray(scores, np.float32), np.zeros((len(array), 5, 2), np.float32))


def test_the_interval_covers_what_it_should(rng: np.random.Generator) -> None:
    """The mean of 60 normal differences: its 95 % interval is +-1.96 standard errors."""
    first, second = rng.normal(0, 1, 60), rng.normal(0, 1, 60) + 0.2
    samples = resampled_images(60, 4000, seed=1)
    found = paired_difference(
        lambda w: float(np.average(first, weights=w)), lambda w: float(np.average(second, weights=w)), samples
    )
    error = (second - first).std() / np.sqrt(60)
    assert found.difference == pytest.approx((second - first).mean())
    assert found.low == pytest.approx(found.difference - 1.96 * error, abs=0.06)
    assert found.high == pytest.approx(found.difference + 1.96 * error, abs=0.06)
    assert np.array_equal(resampled_images(60, 5, 3), resampled_images(60, 5, 3))


def test_pairing_makes_equal_models_certain(rng: np.random.Generator) -> None:
    face = Truth.of(np.asarray([[0, 0, 10, 10]], np.float32))
    found = [shown([[0, 0, 10, 10], [30, 30, 40, 40]], list(rng.random(2))) for _ in range(20)]
    one = match(found, [face] * 20)
    difference = paired_difference(
        lambda w: one.average_precision(weights=w),
        lambda w: one.average_precision(weights=w),
        resampled_images(20, 50),
    )
    assert (difference.low, difference.high) == (0, 0)
