"""Let an int8 file take pixels as bytes: uint8 0..255 in, without a float and without an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.edit import add_tensor, new_operator
from model.runtime.flatbuffer import INPUT_NAME

QUANTIZE_VERSION = 2
"""The first version of the QUANTIZE operator that rescales between integer types."""


def take_bytes(model: Any) -> None:
    """Put a QUANTIZE from uint8 (scale 1, zero point 0) in front of an int8 input (scale 1, zero point -128).

    A file whose first layer is float keeps its float input.

    Raises:
        ValueError: the int8 input has another scale or zero point, so it would not be exact.
    """
    graph = model.subgraphs[0]
    entry = graph.inputs[0]
    tensor = graph.tensors[entry]
    if tensor.type != schema.TensorType.INT8:
        return
    quantization = tensor.quantization
    if abs(float(quantization.scale[0]) - 1) >= 1e-6 or int(quantization.zeroPoint[0]) != -128:
        raise ValueError("the input must be int8 with scale 1 and zero point -128 to take bytes exactly")
    tensor.name = f"{INPUT_NAME}/int8"
    index = add_tensor(model, INPUT_NAME, tensor.shape, "uint8")
    graph.tensors[index].quantization = schema.QuantizationParametersT()
    graph.tensors[index].quantization.scale = np.array([1.0], np.float32)
    graph.tensors[index].quantization.zeroPoint = np.array([0], np.int64)
    options = schema.QuantizeOptionsT()
    graph.operators.insert(0, new_operator(model, "QUANTIZE", [index], [entry], options, QUANTIZE_VERSION))
    graph.inputs = np.array([index], np.int32)
    for signature in model.signatureDefs:
        for item in signature.inputs:
            if item.tensorIndex == entry:
                item.tensorIndex = index
