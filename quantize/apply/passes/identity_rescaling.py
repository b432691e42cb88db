"""Remove each QUANTIZE that changes nothing: the quantizer leaves them between layers on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.tflite.graph import operator_kinds


def drop_identity_rescaling(model: Any) -> None:
    """Remove each QUANTIZE between two tensors of the same type, scale and zero point."""
    graph = model.subgraphs[0]
    outputs = {int(index) for index in graph.outputs}
    kept: list[Any] = []
    renamed: dict[int, int] = {}
    for kind, operator in zip(operator_kinds(model), graph.operators, strict=True):
        operator.inputs = np.array(
            [renamed.get(int(index), int(index)) for index in operator.inputs], np.int32
        )
        before, after = int(operator.inputs[0]) if len(operator.inputs) else -1, int(operator.outputs[0])
        if kind == "QUANTIZE" and after not in outputs and _same(graph.tensors[before], graph.tensors[after]):
            renamed[after] = before
        else:
            kept.append(operator)
    graph.operators = kept


def _same(a: Any, b: Any) -> bool:
    if a.type != b.type or a.quantization is None or b.quantization is None:
        return False
    return np.array_equal(a.quantization.scale, b.quantization.scale) and np.array_equal(
        a.quantization.zeroPoint, b.quantization.zeroPoint
    )
