"""Bounds of activations, against values worked out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from model.foundation.errors import InputError
from quantize.calibrate.activation_ranges import TensorRange
from quantize.calibrate.estimators import BINS, Histogram, entropy, mse, percentile


def _counted(*parts: np.ndarray) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part)
    return histogram


def test_an_empty_histogram_counts_nothing() -> None:
    histogram = _counted(np.empty(0))
    assert histogram.counts.sum() == 0
    assert percentile(histogram, (0.0, 0.0)) == (0.0, 0.0)


def test_counts_do_not_depend_on_the_order() -> None:
    random = np.random.default_rng(0)
    parts = [
        np.zeros(7),
        random.normal(size=500),
        300 * random.normal(size=40),
        1e-3 * random.normal(size=90),
    ]
    first, second = _counted(*parts), _counted(*parts[::-1])
    assert first.exponent == second.exponent
    np.testing.assert_array_equal(first.counts, second.counts)
    expected, _ = np.histogram(
        np.concatenate(parts), bins=2 * BINS, range=(-BINS * first.width, BINS * first.width)
    )
    np.testing.assert_array_equal(first.counts, expected)


@pytest.mark.parametrize("peak", [1.0, 2.0, 3.7, 4096.0, 2.0**-20])
def test_at_least_half_of_the_bins_are_in_use(peak: float) -> None:
    histogram = _counted(np.array([peak, -peak / 3]))
    assert BINS / 2 <= peak / histogram.width < BINS
    assert histogram.counts.sum() == 2


def test_of_a_large_map_all_channels_are_counted() -> None:
    values = np.broadcast_to(np.arange(1.0, 9.0), (1, 256, 256, 8))
    histogram = _counted(values)
    used = np.flatnonzero(histogram.counts)
    assert [round((i - BINS) * histogram.width) for i in used] == list(range(1, 9))


def test_percentile_leaves_out_one_value_in_twenty_thousand_at_an_end() -> None:
    values = np.concatenate([np.linspace(0, 1, 99_999), [1000.0]])
    histogram = Histogram()
    for part in np.split(values, 10):  # each small enough to be counted in full
        histogram.add(part)
    low, high = percentile(histogram, (0.0, 1000.0))
    assert low == 0.0
    assert 1.0 <= high <= 1.0 + 2 * histogram.width


def test_mse_is_the_best_of_real_quantizations() -> None:
    """Brute force with real rounding and clipping instead of the model of the error."""
    random = np.random.default_rng(1)
    values = np.concatenate([np.abs(random.normal(size=60_000)), [40.0]])

    def error(high: float) -> float:
        step = high / 255
        return float(np.square(np.clip(np.round(values / step), 0, 255) * step - values).sum())

    _, high = mse(_counted(values), (0.0, 40.0))
    best = min(error(share * 40.0) for share in np.linspace(0.05, 1, 96))
    assert high < 40.0
    assert error(high) <= 1.1 * best
    assert error(high) < error(40.0)


def test_entropy_clips_a_long_tail_and_leaves_a_full_range() -> None:
    random = np.random.default_rng(2)
    tail = np.concatenate([random.normal(size=60_000), [60.0]])
    low, high = entropy(_counted(tail), (float(tail.min()), 60.0))
    assert 2.0 < high < 30.0
    assert low == pytest.approx(tail.min())
    flat = random.uniform(0, 1, 60_000)
    assert entropy(_counted(flat), (0.0, 1.0))[1] > 0.9


@pytest.mark.parametrize("estimate", [percentile, mse, entropy])
def test_bounds_never_leave_the_extremes(estimate: object) -> None:
    values = np.random.default_rng(3).normal(size=5000)
    extremes = float(values.min()), float(values.max())
    low, high = estimate(_counted(values), extremes)  # type: ignore[operator]
    assert extremes[0] <= low < high <= extremes[1]


def test_ranges_keep_every_estimator_and_say_what_they_lack() -> None:
    full = TensorRange(-2.0, 4.0, -1.0, 3.0, (-1.5, 3.5), (-1.25, 3.25), (-1.0, 2.0))
    assert TensorRange.from_json(full.to_json()) == full
    assert full.bounds("mse") == (-1.25, 3.25)
    short = TensorRange.from_json([-2.0, 4.0, -1.0, 3.0])
    assert short.bounds("mean_min_max") == (-1.0, 3.0)
    with pytest.raises(InputError, match="hold no entropy bounds"):
        short.bounds("entropy")
