"""Let the file return what its last integer layers compute; whoever reads them applies their scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.tflite.graph import operator_kinds
from model.runtime.flatbuffer import text


def keep_integer_outputs(model: Any) -> None:
    """Remove each DEQUANTIZE that makes an output."""
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
