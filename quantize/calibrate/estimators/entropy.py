"""The least loss of information (Kullback-Leibler divergence) in 8 bits.

Source: Migacz, 8-bit inference with TensorRT, 2017; the bin of zeros is set to its neighbour's count as in
NVIDIA's pytorch-quantization, or the zeros behind a ReLU would decide alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quantize.calibrate.estimators import LEVELS, Estimator, Range, Seen

_STEP = 16
"""Bins between two ends that are tried."""


def least_divergence(seen: Seen) -> Range:
    """The symmetric range that loses the least, within the extremes."""
    counts = seen.histogram.amplitudes().astype(np.float64)
    counts[0] = counts[1]
    lowest, highest = seen.extremes
    levels = LEVELS if lowest >= 0 or highest <= 0 else LEVELS // 2
    used = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
    if used <= levels:
        return seen.extremes
    ends = [*range(levels, used, _STEP), used]
    best = min(ends, key=lambda end: _divergence(counts, end, levels)) * seen.histogram.width
    return seen.clipped(-best, best)


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


ESTIMATOR = Estimator(least_divergence)
