"""Precision of what is shown: the share of detections above the score threshold that are labelled faces."""

from __future__ import annotations

from typing import Any

from model.evaluation.average_precision import Matched
from model.evaluation.metrics import Metric


def _precision(matched: Matched, threshold: float, weights: Any) -> float | None:
    curve = matched.curve(weights=weights)
    above = int((curve.scores > threshold).sum())
    return float(curve.precision[above - 1]) if above else None


METRIC = Metric("precision", "%", True, None, _precision)
