"""From all values of an activation to the bounds that its 256 levels shall span."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float]

BINS = 2048
"""Bins on each side of zero, of which at least half are in use. Source: Migacz, 8-bit inference with
TensorRT, 2017 (2048 bins for its entropy calibration)."""
OUTSIDE = 1e-4
"""Share of values that the percentile estimator leaves outside, half at each end."""
LEVELS = 256
_ENTROPY_STEP = 16
_SHRINKS = np.linspace(0.1, 1.0, 91)
_MOST_VALUES = 1 << 16


class Histogram:
    """Counts of values in bins of width 2^e that grow with the largest value seen.

    Bins are aligned at zero and their width doubles, so merging them is exact and the result does not
    depend on the order of the values. Of large tensors every k-th value is counted, k odd, so that all
    channels take part.

    Attributes:
        counts: int64 [2 * BINS]; bin i holds values in [(i - BINS) * width, (i - BINS + 1) * width).
        exponent: The width is 2 ** exponent; None before the first value other than zero.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(2 * BINS, np.int64)
        self.exponent: int | None = None
        self._zeros = 0

    @property
    def width(self) -> float:
        """Of a bin."""
        return 2.0 ** (0 if self.exponent is None else self.exponent)

    def add(self, values: NDArray[Any]) -> None:
        """Count values of any shape."""
        flat = values.reshape(-1)
        step = max(1, math.ceil(flat.size / _MOST_VALUES)) | 1 if flat.size > _MOST_VALUES else 1
        flat = flat[::step].astype(np.float64)
        peak = float(np.abs(flat).max(initial=0.0))
        if peak > 0:
            # Values lie strictly below BINS * width, on both sides.
            self._widen(math.floor(math.log2(peak / BINS)) + 1)
        if self.exponent is None:
            self._zeros += flat.size
            return
        index = np.floor(flat / self.width).astype(np.int64) + BINS
        self.counts += np.bincount(np.clip(index, 0, 2 * BINS - 1), minlength=2 * BINS)

    def _widen(self, exponent: int) -> None:
        if self.exponent is None:
            self.exponent = exponent
            self.counts[BINS] += self._zeros
        while self.exponent < exponent:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros_like(self.counts)
            self.counts[BINS // 2 : BINS // 2 + BINS] = merged
            self.exponent += 1

    def centres(self) -> NDArray[np.float64]:
        """Middle of each bin."""
        return np.asarray((np.arange(2 * BINS) - BINS + 0.5) * self.width, np.float64)

    def amplitudes(self) -> NDArray[np.int64]:
        """Counts of |x|, int64 [BINS]."""
        return self.counts[BINS:] + self.counts[:BINS][::-1]


def percentile(histogram: Histogram, extremes: Bounds) -> Bounds:
    """Bounds that leave a share of OUTSIDE / 2 of the values below and above."""
    total = np.cumsum(histogram.counts)
    if not total[-1]:
        return extremes
    low = int(np.searchsorted(total, total[-1] * OUTSIDE / 2, side="right"))
    high = int(np.searchsorted(total, total[-1] * (1 - OUTSIDE / 2), side="left"))
    return _within(((low - BINS) * histogram.width, (high - BINS + 1) * histogram.width), extremes)


def mse(histogram: Histogram, extremes: Bounds) -> Bounds:
    """Bounds with the least squared error: rounding inside, clipping outside.

    Source: Banner et al., Post training 4-bit quantization of convolutional networks, 2019, section 3:
    a step of width d adds d^2 / 12 within the bounds, a clipped value the square of its distance.
    """
    used = np.flatnonzero(histogram.counts)
    counts, centres = histogram.counts[used].astype(np.float64), histogram.centres()[used]
    low, high = extremes
    for _ in range(2):
        high = min(_SHRINKS * extremes[1], key=lambda end: _squared_error(counts, centres, low, float(end)))
        low = min(_SHRINKS * extremes[0], key=lambda end: _squared_error(counts, centres, float(end), high))
    return float(low), float(high)


def _squared_error(
    counts: NDArray[np.float64], centres: NDArray[np.float64], low: float, high: float
) -> float:
    low, high = min(low, 0.0), max(high, 0.0)
    outside = np.maximum(low - centres, 0) + np.maximum(centres - high, 0)
    step = (high - low) / (LEVELS - 1)
    clipped = outside > 0
    return float(np.sum(counts * np.where(clipped, np.square(outside), step * step / 12)))


def entropy(histogram: Histogram, extremes: Bounds) -> Bounds:
    """Bounds at which 8 bits lose the least information (Kullback-Leibler divergence).

    Source: Migacz, 8-bit inference with TensorRT, 2017; the bin of zeros is set to its neighbour's
    count as in NVIDIA's pytorch-quantization, or the zeros behind a ReLU would decide alone.
    """
    counts = histogram.amplitudes().astype(np.float64)
    counts[0] = counts[1]
    levels = LEVELS if extremes[0] >= 0 or extremes[1] <= 0 else LEVELS // 2
    used = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
    if used <= levels:
        return extremes
    ends = [*range(levels, used, _ENTROPY_STEP), used]
    best = min(ends, key=lambda end: _divergence(counts, end, levels)) * histogram.width
    return _within((-best, best), extremes)


def _divergence(counts: NDArray[np.float64], end: int, levels: int) -> float:
    """KL(P || Q): P clips at bin `end`, Q is what is left of the inner bins at so many levels."""
    inner = counts[:end]
    clipped = inner.copy()
    clipped[-1] += counts[end:].sum()
    starts = (np.arange(levels) * end) // levels
    present = inner > 0
    members = np.add.reduceat(present.astype(np.float64), starts)
    mean = np.divide(np.add.reduceat(inner, starts), members, out=np.zeros(levels), where=members > 0)
    spread = np.repeat(mean, np.diff(np.append(starts, end))) * present
    if not spread.sum():
        return math.inf
    p, q = clipped / clipped.sum(), spread / spread.sum()
    # A clipped tail may land in a bin that was empty; a tiny share keeps its logarithm finite.
    q = np.maximum(q, 1e-12)
    kept = p > 0
    return float(np.sum(p[kept] * np.log(p[kept] / q[kept])))


def _within(bounds: Bounds, extremes: Bounds) -> Bounds:
    return max(bounds[0], extremes[0]), min(bounds[1], extremes[1])
