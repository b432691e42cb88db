"""The mean of each image's extremes: one odd photograph does not decide."""

from __future__ import annotations

from quantize.calibrate.estimators import Estimator, Range, Seen


def mean_extremes(seen: Seen) -> Range:
    """The means of the images' smallest and of their largest values."""
    return float(seen.lows.mean()), float(seen.highs.mean())


ESTIMATOR = Estimator(mean_extremes, nncf="MEAN_MINMAX")
