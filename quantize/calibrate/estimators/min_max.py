"""The extremes over all images."""

from __future__ import annotations

from quantize.calibrate.estimators import Estimator, Range, Seen


def extremes(seen: Seen) -> Range:
    """The smallest and the largest value of all."""
    return seen.extremes


ESTIMATOR = Estimator(extremes, nncf="MINMAX")
