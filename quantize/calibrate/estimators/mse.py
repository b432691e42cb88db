"""The least squared error: rounding inside the range against clipping outside it.

Source: Banner et al., Post training 4-bit quantization of convolutional networks, 2019, section 3: a step
of width d adds d^2 / 12 within the range, a clipped value the square of its distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantize.calibrate.estimators import LEVELS, Estimator, Range, Seen

_SHRINKS = np.linspace(0.1, 1.0, 91)


def least_squared_error(seen: Seen) -> Range:
    """The best range among those that shrink the extremes, one end after the other, twice."""
    used = np.flatnonzero(seen.histogram.counts)
    counts, centres = seen.histogram.counts[used].astype(np.float64), seen.histogram.centres()[used]
    extremes = low, high = seen.extremes
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


ESTIMATOR = Estimator(least_squared_error, nncf="HISTOGRAM")
