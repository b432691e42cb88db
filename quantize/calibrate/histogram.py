"""All values of an activation, counted in bins: what most estimators of its range work on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 2048
"""Bins on each side of zero, of which at least half are in use. Source: Migacz, 8-bit inference with
TensorRT, 2017 (2048 bins for its entropy calibration)."""
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
        """Width of a bin, in the activation's own unit; 1 before the first value other than zero."""
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
