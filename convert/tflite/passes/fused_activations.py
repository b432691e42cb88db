"""A RELU moves into the operator that it follows.

Exact in float: the operator's own kernel clamps the same number. An integer file gains most, for there a
RELU by itself rounds once more, from one scale to another, and XNNPACK leaves it to a plain kernel: the
network falls into as many parts. It is done before quantization because ranges are then measured behind
the clamp.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.graph import operator_kinds

_ACTIVATIONS = schema.ActivationFunctionType
FUSED = {"RELU": _ACTIVATIONS.RELU, "RELU6": _ACTIVATIONS.RELU6, "RELU_N1_TO_1": _ACTIVATIONS.RELU_N1_TO_1}
"""Activation -> its number as a field of another operator."""
FUSING = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL")
"""Operators whose kernels clamp what they compute."""


def fuse_activations(model: Any) -> None:
    """Fuse each RELU, RELU6 and RELU_N1_TO_1 that alone reads what it clamps.

    The fused operator keeps its name, or takes the file's output's.
    """
    graph = model.subgraphs[0]
    outputs = {int(index) for index in graph.outputs}
    uses = Counter(int(index) for operator in graph.operators for index in operator.inputs)
    makers: dict[int, Any] = {}
    renamed: dict[int, int] = {}
    kept: list[Any] = []
    for kind, operator in zip(operator_kinds(model), graph.operators, strict=True):
        operator.inputs = np.array([renamed.get(int(one), int(one)) for one in operator.inputs], np.int32)
        before = int(operator.inputs[0]) if len(operator.inputs) else -1
        maker = makers.get(before)
        if kind in FUSED and maker is not None and uses[before] == 1 and before not in outputs:
            after = int(operator.outputs[0])
            maker.builtinOptions.fusedActivationFunction = FUSED[kind]
            makers.pop(before)
            if after in outputs:
                maker.outputs = np.array([after], np.int32)
            else:
                renamed[after] = before
            continue
        kept.append(operator)
        if kind in FUSING and _is_linear(operator):
            makers[int(operator.outputs[0])] = operator
    graph.operators = kept


def _is_linear(operator: Any) -> bool:
    options = operator.builtinOptions
    return options is not None and options.fusedActivationFunction == _ACTIVATIONS.NONE
