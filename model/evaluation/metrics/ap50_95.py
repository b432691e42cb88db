"""Mean average precision over IoU 0.5, 0.55 .. 0.95."""

from model.evaluation.metrics import Metric

METRIC = Metric(
    "AP50:95", "%", True, None, lambda matched, _, weights: matched.mean_average_precision(weights), 5
)
