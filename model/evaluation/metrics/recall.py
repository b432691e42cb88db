"""Recall of what is shown: the share of the labelled faces with a detection above the score threshold."""

from __future__ import annotations

from typing import Any

from model.evaluation.average_precision import Matched
from model.evaluation.metrics import Metric


def _recall(matched: Matched, threshold: float, weights: Any) -> float | None:
    curve = matched.curve(weights=weights)
    above = int((curve.scores > threshold).sum())
    return float(curve.recall[above - 1]) if above else 0.0


METRIC = Metric("recall", "%", True, None, _recall)
