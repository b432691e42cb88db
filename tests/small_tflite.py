"""TFLite files of a few operators, written by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from model.runtime.flatbuffer import write_model

VERSIONS = {
    "CONV_2D": 3,
    "DEQUANTIZE": 2,
    "QUANTIZE": 1,
    "CONCATENATION": 2,
    "SPLIT": 2,
    "SOFTMAX": 2,
    "MAX_POOL_2D": 2,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "LOGISTIC": 2,
    "PAD": 2,
    "SUB": 2,
    "FULLY_CONNECTED": 5,
}
"""The first version of each operator's int8 form."""
TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int8": 9}


@dataclass
class SmallModel:
    """Tensors and operators in the order in which they are added."""

    model: Any = field(default_factory=schema.ModelT)

    def __post_init__(self) -> None:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        self.model.version = 3
        self.model.subgraphs, self.model.operatorCodes = [graph], []
        self.model.buffers, self.model.signatureDefs, self.model.metadata = [schema.BufferT()], [], []

    @property
    def graph(self) -> Any:
        return self.model.subgraphs[0]

    def tensor(
        self, name: str, kind: str, shape: list[int], scale: float | list[float] | None = None, zero: int = 0
    ) -> int:
        """A computed tensor."""
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.shape = name, TYPES[kind], np.array(shape, np.int32)
        tensor.buffer, tensor.hasRank = 0, True
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.full(len(scales), zero, np.int64)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(
        self, name: str, values: NDArray[Any], scale: float | list[float] | None = None, axis: int = 0
    ) -> int:
        """A stored tensor."""
        index = self.tensor(name, values.dtype.name, list(values.shape), scale)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        self.graph.tensors[index].buffer = len(self.model.buffers) - 1
        if scale is not None:
            self.graph.tensors[index].quantization.quantizedDimension = axis
        return index

    def add(self, kind: str, inputs: list[int], outputs: list[int], **options: Any) -> None:
        """An operator; options are fields of its schema options, e.g. Conv2D's strideH."""
        number = getattr(schema.BuiltinOperator, kind)
        codes = [code.builtinCode for code in self.model.operatorCodes]
        if number not in codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
            code.version = VERSIONS.get(kind, 1)
            self.model.operatorCodes.append(code)
            codes.append(number)
        operator = schema.OperatorT()
        operator.opcodeIndex = codes.index(number)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        name = {"ADD": "Add", "CONV_2D": "Conv2D", "CONCATENATION": "Concatenation", "SPLIT": "Split",
                "FULLY_CONNECTED": "FullyConnected", "LEAKY_RELU": "LeakyRelu", "SOFTMAX": "Softmax",
                "MAX_POOL_2D": "Pool2D",
                "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor"}.get(kind)  # fmt: skip
        if name is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{name}Options")
            operator.builtinOptions = getattr(schema, f"{name}OptionsT")()
            strides = {"strideH": 1, "strideW": 1} if kind == "CONV_2D" else {}
            for key, value in {**strides, **options}.items():
                setattr(operator.builtinOptions, key, value)
        self.graph.operators.append(operator)

    def conv(self, name: str, source: int, channels: int, rng: np.random.Generator) -> int:
        """An int8 1x1 convolution with per-channel scales, named after its layer."""
        shape = list(self.graph.tensors[source].shape)
        weights = rng.integers(-127, 128, (channels, 1, 1, int(shape[-1]))).astype(np.int8)
        step = float(self.graph.tensors[source].quantization.scale[0])
        weight = self.constant(f"{name}/weight", weights, [0.01] * channels)
        bias = self.constant(f"{name}/bias", np.zeros(channels, np.int32), [0.01 * step] * channels)
        result = self.tensor(name, "int8", [*shape[:-1], channels], 0.1)
        self.add("CONV_2D", [source, weight, bias], [result], strideH=1, strideW=1)
        return result

    def sign(self, inputs: list[int], outputs: list[int]) -> None:
        """Give the file the signature that a converter gives it."""
        signature = schema.SignatureDefT()
        signature.subgraphIndex, signature.signatureKey = 0, "serving_default"
        signature.inputs, signature.outputs = (
            [self._entry(f"{role}_{place}", index) for place, index in enumerate(tensors)]
            for role, tensors in (("args", inputs), ("output", outputs))
        )
        self.model.signatureDefs = [signature]

    @staticmethod
    def _entry(name: str, index: int) -> Any:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        return entry

    def write(self, path: Path, inputs: list[int], outputs: list[int]) -> Path:
        """Finish the file."""
        self.graph.inputs, self.graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        write_model(self.model, path)
        return path


SIDE = 32
SHAPE = [1, SIDE, SIDE, 3]
TOP = 127.5
"""The largest value of the planted int8 tensor: scale 0.5, zero point -128."""


def planted_file(path: Path, gain: float, *, integer: bool = False, name: str = "second") -> Path:
    """Layers on an image [1, SIDE, SIDE, 3]: zeroth = x, first = gain * x, second = first (as int8 if
    `integer`), under its `name`."""
    small = SmallModel()
    entry = small.tensor("image", "float32", SHAPE)
    zeroth, first = (small.tensor(one, "float32", SHAPE) for one in ("zeroth", "first"))
    small.add("MUL", [entry, small.constant("one", np.float32([1]))], [zeroth])
    small.add("MUL", [zeroth, small.constant("gain", np.float32([gain]))], [first])
    if integer:
        second = small.tensor(name, "int8", SHAPE, 0.5, -128)
        small.add("QUANTIZE", [first], [second])
    else:
        second = small.tensor(name, "float32", SHAPE)
        small.add("MUL", [first, small.constant("again", np.float32([1]))], [second])
    return small.write(path, [entry], [second])
