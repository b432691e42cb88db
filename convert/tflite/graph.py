"""A TFLite file as a plain list of operators and tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.tflite.operators import operator_names
from model.runtime.flatbuffer import read_model, text

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
RESCALING = ("QUANTIZE", "DEQUANTIZE")
"""Operators that the quantizer puts in; all others stand in its result as they stood in its source."""

_DTYPES: dict[int, type[np.generic]] = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.INT64: np.int64,
    schema.TensorType.BOOL: np.bool_,
    schema.TensorType.INT8: np.int8,
}


@dataclass(frozen=True, eq=False)
class FileTensor:
    """One tensor of the file.

    Attributes:
        name: Its layer, as convert names it.
        shape: As stored; activations in NHWC with a batch of one.
        dtype: Of its values.
        scales: float32 [C] or [1] of a quantized tensor; none for others.
        zero_point: Of a quantized activation.
        constant: Its values, if it is one.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scales: NDArray[np.float32] | None = None
    zero_point: int = 0
    constant: NDArray[Any] | None = None

    @property
    def is_integer(self) -> bool:
        """Whether it is an activation or a constant quantized to 8 bits."""
        return self.scales is not None and self.dtype in (np.int8, np.uint8)


@dataclass(frozen=True)
class Operator:
    """One operator: its builtin name, its options, and the indices of its tensors (-1 for an absent one)."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """The first subgraph of a file, in execution order."""

    tensors: tuple[FileTensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def own(self) -> list[Operator]:
        """The network's own operators, without those that the quantizer put in."""
        return [operator for operator in self.operators if operator.kind not in RESCALING]

    def maker_of(self, index: int) -> Operator | None:
        """The operator that computes a tensor."""
        return next((operator for operator in self.operators if index in operator.outputs), None)


def read_graph(path: Path) -> Graph:
    """Read a file's operators and tensors.

    Raises:
        InputError: no such file, or not TFLite.
        ValueError: a tensor of a type that no network of this project uses.
    """
    model = read_model(path)
    graph = model.subgraphs[0]
    operators = tuple(
        Operator(kind, _indices(one.inputs), _indices(one.outputs), _options(one.builtinOptions))
        for kind, one in zip(operator_names(model), graph.operators, strict=True)
    )
    tensors = tuple(_tensor(model, tensor) for tensor in graph.tensors)
    return Graph(tensors, operators, _indices(graph.inputs), _indices(graph.outputs))


def _indices(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _options(options: Any) -> dict[str, Any]:
    return {} if options is None else dict(vars(options))


def _tensor(model: Any, tensor: Any) -> FileTensor:
    if tensor.type not in _DTYPES:
        raise ValueError(f"{text(tensor.name)}: no counterpart for tensor type {tensor.type}")
    dtype = np.dtype(_DTYPES[tensor.type])
    shape = () if tensor.shape is None else _indices(tensor.shape)
    data = model.buffers[tensor.buffer].data
    constant = None
    if data is not None and len(data):
        constant = np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).reshape(shape)
    quantization = tensor.quantization
    scales, zero_point = None, 0
    if quantization is not None and quantization.scale is not None and len(quantization.scale):
        scales = np.asarray(quantization.scale, np.float32)
        zero_point = int(quantization.zeroPoint[0])
    return FileTensor(text(tensor.name), shape, dtype, scales, zero_point, constant)
