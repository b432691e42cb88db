"""What is in a TFLite file: each operator's kind, layer, arithmetic and multiply-accumulates; constants."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from convert.tflite.operators import operator_names
from model.runtime.flatbuffer import text

_TYPES = {code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
_INTEGERS = ("int8", "uint8", "int16", "int4")
ARITHMETIC = ("int8", "float16", "float32", "int8_weights", "int16", "index", "conversion", "unpacking")
"""How an operator computes.

int8 (or uint8), int16: integers with a scale. float16: float32 arithmetic on weights stored as float16.
int8_weights: float32 activations on integer weights. index: integers without a scale (row numbers,
conditions). conversion: a QUANTIZE or DEQUANTIZE of an activation. unpacking: a DEQUANTIZE of a constant,
which a runtime does once.
"""


@dataclass(frozen=True)
class Operator:
    """One operator of the first subgraph.

    Attributes:
        index: Place in execution order.
        kind: Builtin name, e.g. "CONV_2D".
        layer: Name of its first output.
        arithmetic: One of ARITHMETIC.
        macs: Multiply-accumulates of one inference; element-wise work counts none.
    """

    index: int
    kind: str
    layer: str
    arithmetic: str
    macs: int


@dataclass(frozen=True, eq=False)
class Graph:
    """The first subgraph of a parsed model, with what every question about it needs.

    Attributes:
        model: The schema's ModelT.
        kinds: Builtin name of each operator.
        makers: Tensor -> the operator that computes it.
    """

    model: Any
    kinds: list[str]
    makers: dict[int, int]

    @classmethod
    def of(cls, model: Any) -> Graph:
        """Index the first subgraph."""
        operators = model.subgraphs[0].operators
        makers = {int(i): number for number, one in enumerate(operators) for i in _indices(one.outputs)}
        return cls(model, operator_names(model), makers)

    @property
    def operators(self) -> Any:
        """In execution order."""
        return self.model.subgraphs[0].operators

    @property
    def entries(self) -> list[int]:
        """The tensors that are fed."""
        return [int(i) for i in self.model.subgraphs[0].inputs]

    @property
    def outputs(self) -> list[int]:
        """The tensors that are returned."""
        return [int(i) for i in self.model.subgraphs[0].outputs]

    def name(self, tensor: int) -> str:
        """A tensor's name."""
        return text(self.model.subgraphs[0].tensors[tensor].name)

    def type(self, tensor: int) -> str:
        """A tensor's type, e.g. "float32"."""
        return str(_TYPES[self.model.subgraphs[0].tensors[tensor].type])

    def shape(self, tensor: int) -> tuple[int, ...]:
        """A tensor's shape; a scalar's is empty."""
        shape = self.model.subgraphs[0].tensors[tensor].shape
        return () if shape is None else tuple(int(side) for side in shape)

    def scale(self, tensor: int) -> tuple[float, int] | None:
        """A tensor's (scale, zero point), of the first channel where there are several; None without."""
        quantization = self.model.subgraphs[0].tensors[tensor].quantization
        if quantization is None or quantization.scale is None or not len(quantization.scale):
            return None
        zero = quantization.zeroPoint
        return float(quantization.scale[0]), int(zero[0]) if zero is not None and len(zero) else 0

    def read(self, operator: int) -> list[int]:
        """The tensors that an operator reads; absent optional ones are left out."""
        return _indices(self.operators[operator].inputs)

    def written(self, operator: int) -> list[int]:
        """The tensors that an operator computes."""
        return _indices(self.operators[operator].outputs)

    def is_computed(self, tensor: int) -> bool:
        """Whether a tensor depends on the input: no constant, nor an unpacked one."""
        if tensor in self.entries:
            return True
        maker = self.makers.get(tensor)
        return maker is not None and any(self.is_computed(one) for one in self.read(maker))

    def constant(self, tensor: int) -> int:
        """The stored tensor behind one that may have been unpacked by a DEQUANTIZE."""
        maker = self.makers.get(tensor)
        return tensor if maker is None or not self.read(maker) else self.constant(self.read(maker)[0])


def _indices(values: Any) -> list[int]:
    return [] if values is None else [int(i) for i in values if i >= 0]


def take_census(graph: Graph) -> list[Operator]:
    """Look at every operator."""
    computed: dict[int, bool] = dict.fromkeys(graph.entries, True)
    found = []
    for index, kind in enumerate(graph.kinds):
        live = [one for one in graph.read(index) if computed.get(one, False)]
        computed |= dict.fromkeys(graph.written(index), bool(live))
        name = graph.name(graph.written(index)[0]) if graph.written(index) else ""
        found.append(Operator(index, kind, name, _arithmetic(graph, index, live), _macs(graph, index)))
    return found


def _arithmetic(graph: Graph, index: int, live: list[int]) -> str:
    kind = graph.kinds[index]
    written = [graph.type(one) for one in graph.written(index)]
    if kind == "DEQUANTIZE":
        return "conversion" if live else "unpacking"
    if kind == "QUANTIZE":
        source = graph.type(graph.read(index)[0])
        return "int8" if source in _INTEGERS and written[0] in _INTEGERS else "conversion"
    types = {*written, *(graph.type(one) for one in live)}
    if types & {"float32", "float16"}:
        stored = (
            {graph.type(graph.constant(one)) for one in graph.read(index)[:2] if one not in live}
            & {*_INTEGERS, "float16"}
            if kind in _MACS
            else set()
        )
        if "float16" in stored | types:
            return "float16"
        return "int8_weights" if stored else "float32"
    quantized = [one for one in (*live, *graph.written(index)) if graph.scale(one) is not None]
    if not quantized:
        return "index"
    return "int16" if any(graph.type(one) == "int16" for one in quantized) else "int8"


def _conv(graph: Graph, index: int) -> int:
    _, height, width, inputs = graph.shape(graph.read(index)[1])
    return math.prod(graph.shape(graph.written(index)[0])) * height * width * inputs


def _depthwise(graph: Graph, index: int) -> int:
    _, height, width, _ = graph.shape(graph.read(index)[1])
    return math.prod(graph.shape(graph.written(index)[0])) * height * width


def _fully_connected(graph: Graph, index: int) -> int:
    return math.prod(graph.shape(graph.written(index)[0])) * graph.shape(graph.read(index)[1])[-1]


def _transposed(graph: Graph, index: int) -> int:
    outputs, height, width, _ = graph.shape(graph.read(index)[1])
    return math.prod(graph.shape(graph.read(index)[2])) * height * width * outputs


def _product(graph: Graph, index: int) -> int:
    options = graph.operators[index].builtinOptions
    inner = graph.shape(graph.read(index)[0])[-2 if getattr(options, "adjX", False) else -1]
    return math.prod(graph.shape(graph.written(index)[0])) * inner


_MACS = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transposed,
    "BATCH_MATMUL": _product,
}


def _macs(graph: Graph, index: int) -> int:
    count = _MACS.get(graph.kinds[index])
    return count(graph, index) if count else 0


def constant_bytes(graph: Graph) -> dict[str, int]:
    """Bytes of the stored tensors by type; a buffer that several tensors share counts once."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    for one in graph.model.subgraphs:
        for tensor in one.tensors:
            data = graph.model.buffers[tensor.buffer].data if tensor.buffer else None
            if data is not None and len(data) and tensor.buffer not in seen:
                seen.add(tensor.buffer)
                found[_TYPES[tensor.type]] += len(data)
    return dict(found.most_common())
