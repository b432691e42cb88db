"""All values but one in 10,000."""

from __future__ import annotations

import numpy as np

from quantize.calibrate.estimators import Estimator, Range, Seen
from quantize.calibrate.histogram import BINS

OUTSIDE = 1e-4
"""Share of values left outside, half at each end."""


def percentile(seen: Seen) -> Range:
    """A range that leaves a share of OUTSIDE / 2 of the values below and above."""
    histogram = seen.histogram
    total = np.cumsum(histogram.counts)
    if not total[-1]:
        return seen.extremes
    low = int(np.searchsorted(total, total[-1] * OUTSIDE / 2, side="right"))
    high = int(np.searchsorted(total, total[-1] * (1 - OUTSIDE / 2), side="left"))
    return seen.clipped((low - BINS) * histogram.width, (high - BINS + 1) * histogram.width)


ESTIMATOR = Estimator(percentile, nncf="QUANTILE")
