"""What is measured of a detector on labelled faces, a file a metric: unit, direction, permitted drift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.average_precision import Matched
from model.foundation.registry import Registry

Measure = Callable[[Matched, float, NDArray[np.int64] | None], float | None]


@dataclass(frozen=True)
class Metric:
    """One figure of a detector.

    Attributes:
        title: For tables: "AP50".
        unit: "%" for a share in 0..1, which tables show as a percentage.
        higher_is_better: What counts as a regression.
        permitted_drift: How far a made file may lie from its baseline, as a share; None: not gated.
        measure: (matches at COCO's overlaps, score threshold, how often each image counts) -> the figure.
        cost: How many times the work of AP50 it is; a bootstrap takes that many times fewer samples.
    """

    title: str
    unit: str
    higher_is_better: bool
    permitted_drift: float | None
    measure: Measure
    cost: int = 1

    def of(
        self, matched: Matched, threshold: float, weights: NDArray[np.int64] | None = None
    ) -> float | None:
        """The figure."""
        return self.measure(matched, threshold, weights)


METRICS: Registry[Metric] = Registry("model.evaluation.metrics", "METRIC", "metric")

HEADLINE = "ap50"
"""The metric that stands for a detector where there is room for one."""
