"""Bounds of activations, against values worked out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from model.foundation.errors import InputError
from quantize.calibrate.estimators import ESTIMATORS, Range, Seen
from quantize.calibrate.histogram import BINS, Histogram
from quantize.calibrate.ranges import SizeRanges, bounds_by


def _counted(*parts: np.ndarray) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part)
    return histogram


def _range(estimator: str, histogram: Histogram, extremes: Range) -> Range:
    """What an estimator says of one image with such values."""
    low, high = (np.array([end]) for end in extremes)
    return ESTIMATORS[estimator].range_of(Seen(low, high, histogram))


def test_an_empty_histogram_counts_nothing() -> None:
    histogram = _counted(np.empty(0))
    assert histogram.counts.sum() == 0
    assert _range("percentile", histogram, (0.0, 0.0)) == (0.0, 0.0)


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
    low, high = _range("percentile", histogram, (0.0, 1000.0))
    assert low == 0.0
    assert 1.0 <= high <= 1.0 + 2 * histogram.width


def test_mse_is_the_best_of_real_quantizations() -> None:
    """Brute force with real rounding and clipping instead of the model of the error."""
    random = np.random.default_rng(1)
    values = np.concatenate([np.abs(random.normal(size=60_000)), [40.0]])

    def error(high: float) -> float:
        step = high / 255
        return float(np.square(np.clip(np.round(values / step), 0, 255) * step - values).sum())

    _, high = _range("mse", _counted(values), (0.0, 40.0))
    best = min(error(share * 40.0) for share in np.linspace(0.05, 1, 96))
    assert high < 40.0
    assert error(high) <= 1.1 * best
    assert error(high) < error(40.0)


def test_entropy_clips_a_long_tail_and_leaves_a_full_range() -> None:
    random = np.random.default_rng(2)
    tail = np.concatenate([random.normal(size=60_000), [60.0]])
    low, high = _range("entropy", _counted(tail), (float(tail.min()), 60.0))
    assert 2.0 < high < 30.0
    assert low == pytest.approx(tail.min())
    flat = random.uniform(0, 1, 60_000)
    assert _range("entropy", _counted(flat), (0.0, 1.0))[1] > 0.9


@pytest.mark.parametrize("estimate", ["percentile", "mse", "entropy"])
def test_bounds_never_leave_the_extremes(estimate: str) -> None:
    values = np.random.default_rng(3).normal(size=5000)
    extremes = float(values.min()), float(values.max())
    low, high = _range(estimate, _counted(values), extremes)
    assert extremes[0] <= low < high <= extremes[1]


def test_an_estimator_that_nobody_knows_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="unknown estimator 'minmax': expected one of entropy, mean_min_max"):
        ESTIMATORS["minmax"]


def test_the_extremes_and_their_mean_over_the_images() -> None:
    seen = Seen(np.array([-2.0, 0.0]), np.array([4.0, 2.0]), Histogram())
    assert ESTIMATORS["min_max"].range_of(seen) == (-2.0, 4.0)
    assert ESTIMATORS["mean_min_max"].range_of(seen) == (-1.0, 3.0)


def test_ranges_keep_every_estimator() -> None:
    full = {"conv": {name: (-float(n + 1), float(n + 2)) for n, name in enumerate(ESTIMATORS)}}
    assert SizeRanges.of(full, {"count": 3}).unpacked() == full


def test_ranges_of_an_older_program_say_what_they_lack() -> None:
    old = SizeRanges({}, {"conv": (-2.0, 4.0, -1.0, 3.0)}).unpacked()
    assert bounds_by(old, "mean_min_max") == {"conv": (-1.0, 3.0)}
    with pytest.raises(InputError, match="hold no entropy bounds"):
        bounds_by(old, "entropy")
