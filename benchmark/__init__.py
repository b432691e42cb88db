"""Measuring: WIDER FACE's protocol, AP on any labelled set, drift, the report and its gate, devices."""

from model.foundation.exports import lazily

_NAMES = {
    "evaluate_file": "benchmark.accuracy.evaluation",
    "compare_files": "benchmark.accuracy.drift",
    "draw_faces": "benchmark.accuracy.drawing",
}
__all__ = [*_NAMES]  # noqa: PLE0604
__getattr__ = lazily(__name__, _NAMES)
