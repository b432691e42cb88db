"""A parsed TFLite file is read and added to: a constant, a tensor, an operator."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.tflite.graph import operator_kinds
from model.runtime.flatbuffer import text

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
}
Stored = NDArray[np.float32] | NDArray[np.int32] | NDArray[np.int8]


def add_tensor(model: Any, name: str, shape: Sequence[int], kind: str = "float32") -> int:
    """Add a computed tensor ("float32", "int32", "int8" or "uint8") to the first subgraph; its index."""
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, np.array(shape, np.int32), _TYPES[kind]
    tensor.buffer, tensor.hasRank = 0, True
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    return len(tensors) - 1


def add_tensor_like(model: Any, tensor: int, name: str, shape: Sequence[int]) -> int:
    """Add a computed tensor of another one's type and quantization to the first subgraph; its index."""
    tensors = model.subgraphs[0].tensors
    made = copy.deepcopy(tensors[tensor])
    made.name, made.shape, made.shapeSignature = name, np.array(shape, np.int32), None
    tensors.append(made)
    return len(tensors) - 1


def add_constant(model: Any, name: str, values: Stored) -> int:
    """Add a stored tensor to the first subgraph, in a buffer of its own; its index."""
    index = add_tensor(model, name, values.shape, values.dtype.name)
    store(model, model.subgraphs[0].tensors[index], values)
    return index


def makers_of(model: Any) -> dict[int, tuple[str, Any]]:
    """Index of a tensor of the first subgraph -> the kind of the operator that makes it, and the operator."""
    kinds = zip(operator_kinds(model), model.subgraphs[0].operators, strict=True)
    return {int(index): (kind, operator) for kind, operator in kinds for index in operator.outputs}


def shape_of(model: Any, tensor: int) -> tuple[int, ...]:
    """The shape of a tensor of the first subgraph."""
    return tuple(int(side) for side in model.subgraphs[0].tensors[tensor].shape)


def output_called(model: Any, name: str) -> int:
    """Index of the tensor that the signature calls so; -1 if it calls none so."""
    entries = model.signatureDefs[0].outputs
    return next((int(one.tensorIndex) for one in entries if text(one.name) == name), -1)


def values_of(model: Any, tensor: int) -> Any:
    """A stored tensor of the first subgraph, float32 or int32, in its shape; None for any other."""
    if tensor < 0:
        return None
    stored = model.subgraphs[0].tensors[tensor]
    data = model.buffers[stored.buffer].data
    kinds = {_TYPES[name]: name for name in ("float32", "int32")}
    if data is None or not len(data) or stored.type not in kinds:
        return None
    return np.frombuffer(bytes(data), kinds[stored.type]).reshape(stored.shape)


def store(model: Any, tensor: Any, values: Stored) -> None:
    """Make values of the tensor's shape its content, in a buffer of its own, and their type its type."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.type, tensor.buffer = _TYPES[values.dtype.name], len(model.buffers) - 1


def new_operator(
    model: Any, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: Any, version: int = 1
) -> Any:
    """An operator that stands nowhere yet.

    Args:
        model: Gets the operator's code, or the version of the code that it has.
        kind: Builtin name, e.g. "CONV_2D".
        inputs, outputs: Indices of tensors.
        options: Of the operator, e.g. the schema's Conv2DOptionsT; None for a kind without.
        version: The first version of the operator that does what is asked.
    """
    operator = schema.OperatorT()
    operator.opcodeIndex = _code(model, getattr(schema.BuiltinOperator, kind), version)
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    if options is not None:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        operator.builtinOptions = options
    return operator


def sign(model: Any) -> None:
    """Give a file its only signature, "serving_default": the first subgraph's numbered inputs and outputs."""
    graph, signature = model.subgraphs[0], schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = (
        [_entry(f"{role}_{place}", int(index)) for place, index in enumerate(tensors)]
        for role, tensors in (("args", graph.inputs), ("output", graph.outputs))
    )
    model.signatureDefs = [signature]


def _entry(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


def reshape(model: Any, source: int, target: int) -> Any:
    """A RESHAPE of one tensor to another one's shape, that stands nowhere yet."""
    options = schema.ReshapeOptionsT()
    options.newShape = np.array(model.subgraphs[0].tensors[target].shape, np.int32)
    inputs = [source, add_constant(model, "shape", options.newShape)]
    return new_operator(model, "RESHAPE", inputs, [target], options)


def _code(model: Any, number: int, version: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number:
            code.version = max(code.version, version)
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
