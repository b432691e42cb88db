"""Remove what the quantizer leaves behind and no kernel needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.tflite.graph import operator_kinds
from model.runtime.flatbuffer import text


def drop_identity_rescaling(model: Any) -> int:
    """Remove each QUANTIZE between two tensors of the same type, scale and zero point.

    Returns:
        How many were removed.
    """
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
    removed = len(graph.operators) - len(kept)
    graph.operators = kept
    return removed


def keep_integer_outputs(model: Any) -> None:
    """Let the model return what its last integer layers compute: remove a DEQUANTIZE behind an output."""
    graph = model.subgraphs[0]
    inner = {
        int(operator.outputs[0]): int(operator.inputs[0])
        for kind, operator in zip(operator_kinds(model), graph.operators, strict=True)
        if kind == "DEQUANTIZE" and int(operator.outputs[0]) in graph.outputs
    }
    graph.operators = [operator for operator in graph.operators if int(operator.outputs[0]) not in inner]
    graph.outputs = np.array([inner.get(int(index), int(index)) for index in graph.outputs], np.int32)
    for entry in model.signatureDefs[0].outputs:
        entry.tensorIndex = inner.get(int(entry.tensorIndex), int(entry.tensorIndex))
        graph.tensors[entry.tensorIndex].name = text(entry.name)


def _same(a: Any, b: Any) -> bool:
    if a.type != b.type or a.quantization is None or b.quantization is None:
        return False
    return np.array_equal(a.quantization.scale, b.quantization.scale) and np.array_equal(
        a.quantization.zeroPoint, b.quantization.zeroPoint
    )
