"""What a user has -> ONNX and float TFLite, and how far any two of them are apart."""

from model.foundation.exports import lazily

_NAMES = {
    "convert": "convert.conversion",
    "measure_difference": "convert.difference",
    "open_network": "convert.doors",
}
__all__ = [*_NAMES]  # noqa: PLE0604
__getattr__ = lazily(__name__, _NAMES)
