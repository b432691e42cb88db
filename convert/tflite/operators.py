"""Which operators a TFLite file is made of, and whether every runtime has them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from model.foundation.errors import GateError

_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


def operator_names(model: Any) -> list[str]:
    """The builtin operators' names in execution order; custom ones as "CUSTOM:name" (Flex included)."""
    codes = []
    for code in model.operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = code.customCode.decode() if code.customCode else ""
        codes.append(f"CUSTOM:{custom}" if number == schema.BuiltinOperator.CUSTOM else _NAMES[number])
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def require_builtin(model: Any) -> dict[str, int]:
    """Count the operators by name.

    Raises:
        GateError: one of them is no builtin operator, so that plain runtimes lack it.
    """
    census = Counter(operator_names(model))
    if custom := [name for name in census if name.startswith("CUSTOM")]:
        raise GateError(f"the file needs operators that a plain runtime lacks: {', '.join(custom)}")
    return dict(sorted(census.items()))
