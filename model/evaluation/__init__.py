"""How good a detector is on labelled photographs: one loop, and a file for each metric."""

from model.evaluation.loop import evaluate

__all__ = ["evaluate"]
