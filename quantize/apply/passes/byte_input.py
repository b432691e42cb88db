"""Let an int8 file take pixels as bytes: uint8 0..255 in, without a float and without an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

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
    graph.tensors.append(_byte_tensor(tensor.shape))
    index = len(graph.tensors) - 1
    operator = schema.OperatorT()
    operator.opcodeIndex = _quantize_code(model)
    operator.inputs, operator.outputs = np.array([index], np.int32), np.array([entry], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    graph.operators.insert(0, operator)
    graph.inputs = np.array([index], np.int32)
    for signature in model.signatureDefs:
        for item in signature.inputs:
            if item.tensorIndex == entry:
                item.tensorIndex = index


def _byte_tensor(shape: Any) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = INPUT_NAME, shape, schema.TensorType.UINT8
    tensor.buffer, tensor.hasRank = 0, True
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([1.0], np.float32)
    tensor.quantization.zeroPoint = np.array([0], np.int64)
    return tensor


def _quantize_code(model: Any) -> int:
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == schema.BuiltinOperator.QUANTIZE:
            code.version = max(code.version, QUANTIZE_VERSION)
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = QUANTIZE_VERSION
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
