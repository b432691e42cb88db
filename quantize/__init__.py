"""Float TFLite -> float16, int8 and mixed TFLite: recipes, activation ranges, what is in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantize.apply.steps import quantize as quantize
    from quantize.inspect.audit import audit as audit

__all__ = ["audit", "quantize"]
_HOMES = {"audit": "quantize.inspect.audit", "quantize": "quantize.apply.steps"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and nothing that is heavy before."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
