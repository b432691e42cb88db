"""Average precision at IoU 0.5, over all points."""

from model.evaluation.metrics import Metric

METRIC = Metric(
    "AP50", "%", True, 0.005, lambda matched, _, weights: matched.average_precision(weights=weights)
)
