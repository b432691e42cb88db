"""What is computed from constants alone is stored as computed: float16 weights, sparse weights.

The runtime itself computes it, once instead of in every program that loads the file; no bit changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.tflite.edit import store
from convert.tflite.graph import operator_kinds
from model.runtime.flatbuffer import pack_model
from model.runtime.interpreter import TfliteInterpreter

UNPACKING = ("DEQUANTIZE", "DENSIFY")
"""Operators that only say how a constant is stored."""


def fold_constants(model: Any) -> None:
    """Replace each DEQUANTIZE and DENSIFY of a constant by the float32 constant that it computes."""
    graph = model.subgraphs[0]
    stored = {
        number
        for number, tensor in enumerate(graph.tensors)
        if (data := model.buffers[tensor.buffer].data) is not None and len(data)
    }
    kept, folded = [], []
    for kind, operator in zip(operator_kinds(model), graph.operators, strict=True):
        if kind in UNPACKING and int(operator.inputs[0]) in stored:
            folded.append(int(operator.outputs[0]))
            stored.add(folded[-1])
        else:
            kept.append(operator)
    if not folded:
        return
    runtime = TfliteInterpreter(pack_model(model), all_tensors=True)
    runtime.run_real(np.zeros(runtime.inputs[0].shape, np.float32))
    for number in folded:
        store(model, graph.tensors[number], runtime.value(runtime.tensors[number]))
        graph.tensors[number].sparsity = None
    graph.operators = kept
