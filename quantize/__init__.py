"""Float TFLite -> float16, int8 and mixed TFLite: recipes, activation ranges, what is in the file."""

from model.foundation.exports import lazily

_NAMES = {"audit": "quantize.inspect.audit", "quantize": "quantize.apply.steps"}
__all__ = [*_NAMES]  # noqa: PLE0604
__getattr__ = lazily(__name__, _NAMES)
