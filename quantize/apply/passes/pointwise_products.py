"""An int8 FULLY_CONNECTED becomes a convolution of one pixel: the same bytes by the same kernel.

The XNNPACK of TensorFlow Lite 2.16.1, the app's, takes int8 convolutions with a scale for each channel, but
no such FULLY_CONNECTED: the file falls into parts around it.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.edit import add_tensor_like, new_operator, reshape
from convert.tflite.graph import operator_kinds
from model.runtime.flatbuffer import text

CHANNEL_VERSION = 3
"""The first version of CONV_2D in int8 with a scale for each channel."""


def convolve_products(model: Any) -> None:
    """Replace each FULLY_CONNECTED of int8 weights by channel; its rows become the pixels of a line."""
    tensors = model.subgraphs[0].tensors
    lines: dict[int, int] = {}
    operators: list[Any] = []
    for kind, operator in zip(operator_kinds(model), model.subgraphs[0].operators, strict=True):
        if kind != "FULLY_CONNECTED" or not _is_by_channel(model, operator):
            operators.append(operator)
            continue
        entry = int(operator.inputs[0])
        if entry not in lines:
            lines[entry] = _line(model, entry, int(tensors[operator.inputs[1]].shape[-1]))
            operators.append(reshape(model, entry, lines[entry]))
        operators += _convolution(model, operator, lines[entry])
    model.subgraphs[0].operators = operators


def _is_by_channel(model: Any, product: Any) -> bool:
    entry, weight = (model.subgraphs[0].tensors[index] for index in product.inputs[:2])
    stored = model.buffers[weight.buffer].data is not None
    is_int8 = entry.type == weight.type == schema.TensorType.INT8
    return bool(stored and is_int8 and len(weight.quantization.scale) > 1)


def _line(model: Any, tensor: int, channels: int) -> int:
    """Add a tensor [1, 1, N, channels] of the numbers of another one."""
    old = model.subgraphs[0].tensors[tensor]
    rows = math.prod(int(side) for side in old.shape) // channels
    return add_tensor_like(model, tensor, f"{text(old.name)}/line", [1, 1, rows, channels])


def _convolution(model: Any, product: Any, line: int) -> list[Any]:
    """The convolution, which takes the product's name but for an output, and the way back to its shape."""
    tensors, out = model.subgraphs[0].tensors, int(product.outputs[0])
    weight = copy.copy(tensors[product.inputs[1]])
    channels, inputs = int(weight.shape[0]), int(weight.shape[-1])
    weight.shape = np.array([channels, 1, 1, inputs], np.int32)
    tensors[product.inputs[1]] = weight
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = product.builtinOptions.fusedActivationFunction
    result = _line(model, out, channels)
    if out not in model.subgraphs[0].outputs:
        tensors[result].name, tensors[out].name = tensors[out].name, f"{text(tensors[out].name)}/rows"
    made = new_operator(model, "CONV_2D", [line, *product.inputs[1:]], [result], options, CHANNEL_VERSION)
    return [made, reshape(model, result, out)]
