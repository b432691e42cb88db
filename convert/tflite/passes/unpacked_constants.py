"""Weights that are stored as float16 become float32: every float16 is one, so nothing is rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.edit import store
from convert.tflite.graph import operator_kinds


def unpack_constants(model: Any) -> None:
    """Replace each DEQUANTIZE of a float16 constant by the float32 constant that it computes."""
    graph = model.subgraphs[0]
    kept = []
    for kind, operator in zip(operator_kinds(model), graph.operators, strict=True):
        stored = graph.tensors[int(operator.inputs[0])] if kind == "DEQUANTIZE" else None
        data = None if stored is None else model.buffers[stored.buffer].data
        if stored is None or stored.type != schema.TensorType.FLOAT16 or data is None or not len(data):
            kept.append(operator)
            continue
        values = np.frombuffer(bytes(data), np.float16).astype(np.float32)
        store(model, graph.tensors[int(operator.outputs[0])], values)
    graph.operators = kept
