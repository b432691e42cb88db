"""THE graph of a TFLite file: its operators and tensors as plain values, whoever made the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.macs import multiply_accumulates
from model.foundation.errors import GateError, InputError
from model.runtime.flatbuffer import read_model, text

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operators with a weight (second input) and a bias (third) that this project's networks are made of."""
RESCALING = ("QUANTIZE", "DEQUANTIZE")
"""Operators that the quantizer puts in; all others stand in its result as they stood in its source."""
ARITHMETIC = ("int8", "float16", "float32", "int8_weights", "int16", "index", "conversion", "unpacking")
"""How an operator computes.

int8 (or uint8), int16: integers with a scale. float16: float32 arithmetic on weights stored as float16.
int8_weights: float32 activations on integer weights. index: integers without a scale (row numbers,
conditions). conversion: a QUANTIZE or DEQUANTIZE of an activation. unpacking: a DEQUANTIZE of a constant,
which a runtime does once.
"""
ON_INTEGERS = ("int8", "int16")
"""The ARITHMETIC whose activations are integers with a scale."""
ON_FLOATS = ("float16", "float32", "int8_weights")
"""The ARITHMETIC whose activations are floats."""
_INTEGERS = ("int8", "uint8", "int16", "int4")
_NUMPY = ("float16", "float32", "float64", "bool", "int8", "uint8", "int16", "int32", "uint32", "int64")
_KINDS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
_TYPES = {code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


@dataclass(frozen=True, eq=False)
class FileTensor:
    """One tensor of the file.

    Attributes:
        name: Its layer, as convert names it.
        shape: As stored; activations in NHWC with a batch of one. A scalar's is empty.
        type: E.g. "float32" or "int4".
        scales: float32 [C] or [1] of a quantized tensor; none for others.
        zero_point: Of a quantized activation.
        buffer: Number of the buffer that holds its values; 0 for an activation.
        content: uint8, its values as the file holds them; none for an activation.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    scales: NDArray[np.float32] | None = None
    zero_point: int = 0
    buffer: int = 0
    content: NDArray[np.uint8] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values.

        Raises:
            ValueError: NumPy has none for this type.
        """
        if self.type not in _NUMPY:
            raise ValueError(f"{self.name}: no counterpart in NumPy for tensor type {self.type}")
        return np.dtype(self.type)

    @cached_property
    def constant(self) -> NDArray[Any] | None:
        """The values of a stored tensor, in its shape and dtype; read-only."""
        if self.content is None:
            return None
        return np.frombuffer(self.content.tobytes(), self.dtype).reshape(self.shape)

    @property
    def scale(self) -> tuple[float, int] | None:
        """(scale, zero point), of the first channel where there are several; None without."""
        return None if self.scales is None else (float(self.scales[0]), self.zero_point)

    @property
    def is_integer(self) -> bool:
        """Whether it is an activation or a constant quantized to 8 bits."""
        return self.scales is not None and self.type in ("int8", "uint8")


@dataclass(frozen=True)
class Operator:
    """One operator.

    Attributes:
        index: Place in execution order.
        kind: Builtin name, e.g. "CONV_2D"; "CUSTOM:name" for a custom one (Flex included).
        layer: Name of its first output.
        inputs: Indices of the tensors that it reads; -1 for an absent one.
        outputs: Indices of the tensors that it computes.
        arithmetic: One of ARITHMETIC.
        macs: Multiply-accumulates of one inference.
        options: Fields of its schema options.
    """

    index: int
    kind: str
    layer: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arithmetic: str
    macs: int
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[int, ...]:
        """`inputs` without the absent ones."""
        return tuple(index for index in self.inputs if index >= 0)


@dataclass(frozen=True, eq=False)
class Graph:
    """The first subgraph of a file, in execution order.

    Attributes:
        tensors, operators: All there are.
        inputs, outputs: Indices of the tensors that are fed and returned.
        computed: Indices of the tensors that depend on the image: no constant, nor an unpacked one.
        constant_bytes: Bytes of the stored tensors by type, of all subgraphs; a buffer that several tensors
            share counts once.
    """

    tensors: tuple[FileTensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    computed: frozenset[int]
    constant_bytes: Mapping[str, int]

    @classmethod
    def of(cls, model: Any) -> Graph:
        """The graph of a parsed file, the schema's ModelT.

        Raises:
            ValueError, IndexError, TypeError, KeyError: the file contradicts the schema.
        """
        first = model.subgraphs[0]
        tensors = tuple(_tensor(model, one) for one in first.tensors)
        inputs = _indices(first.inputs)
        operators = tuple(_operators(model, tensors, inputs))
        computed = set(inputs)
        for one in operators:
            if computed.intersection(one.inputs):
                computed.update(one.outputs)
        sizes = _constant_bytes(_tensor(model, one) for graph in model.subgraphs for one in graph.tensors)
        return cls(tensors, operators, inputs, _indices(first.outputs), frozenset(computed), sizes)

    @cached_property
    def makers(self) -> Mapping[int, Operator]:
        """Index of a tensor -> the operator that computes it."""
        return {index: operator for operator in self.operators for index in operator.outputs}

    @cached_property
    def uses(self) -> Mapping[int, int]:
        """Index of a tensor -> how many times operators read it; 0 for others."""
        return Counter(index for operator in self.operators for index in operator.reads)

    @property
    def activations(self) -> list[int]:
        """Indices of the inputs and of all that operators write, in that order."""
        return [*self.inputs, *(index for operator in self.operators for index in operator.outputs)]

    @property
    def layers(self) -> list[str]:
        """The name of each operator's layer."""
        return [operator.layer for operator in self.operators]

    def require_builtin(self) -> dict[str, int]:
        """Count the operators by kind.

        Raises:
            GateError: one of them is no builtin operator, so that plain runtimes lack it.
        """
        counts = Counter(operator.kind for operator in self.operators)
        if custom := [kind for kind in counts if kind.startswith("CUSTOM")]:
            raise GateError(f"the file needs operators that a plain runtime lacks: {', '.join(custom)}")
        return dict(sorted(counts.items()))


def read_graph(path: Path) -> Graph:
    """Read a file's operators and tensors.

    Raises:
        InputError: no such file, not TFLite, or operators that lack what they compute with.
    """
    model = read_model(path)
    try:
        return Graph.of(model)
    except (ValueError, IndexError, TypeError, KeyError) as error:
        raise InputError(f"{path} is damaged: its operators contradict their tensors ({error})") from None


def operator_kinds(model: Any) -> list[str]:
    """The kind of each operator of a parsed file, for those who edit it; see `Operator.kind`."""
    codes = []
    for code in model.operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = text(code.customCode) if code.customCode else ""
        codes.append(f"CUSTOM:{custom}" if number == schema.BuiltinOperator.CUSTOM else _KINDS[number])
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def _indices(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)


def _tensor(model: Any, tensor: Any) -> FileTensor:
    data = model.buffers[tensor.buffer].data if tensor.buffer else None
    quantization = tensor.quantization
    scales, zero_point = None, 0
    if quantization is not None and quantization.scale is not None and len(quantization.scale):
        scales = np.asarray(quantization.scale, np.float32)
        zeros = quantization.zeroPoint
        zero_point = int(zeros[0]) if zeros is not None and len(zeros) else 0
    return FileTensor(
        text(tensor.name),
        _indices(tensor.shape),
        _TYPES[tensor.type],
        scales,
        zero_point,
        int(tensor.buffer),
        None if data is None or not len(data) else np.asarray(data, np.uint8),
    )


def _constant_bytes(tensors: Iterator[FileTensor]) -> dict[str, int]:
    found: Counter[str] = Counter()
    seen: set[int] = set()
    for one in tensors:
        if one.content is not None and one.buffer not in seen:
            seen.add(one.buffer)
            found[one.type] += len(one.content)
    return dict(found.most_common())


def _operators(model: Any, tensors: Sequence[FileTensor], entries: Sequence[int]) -> Iterator[Operator]:
    live = set(entries)
    stored: dict[int, int] = {}  # what was unpacked from a constant -> the constant
    for index, (kind, one) in enumerate(
        zip(operator_kinds(model), model.subgraphs[0].operators, strict=True)
    ):
        inputs, outputs = _indices(one.inputs), _indices(one.outputs)
        reads = [i for i in inputs if i >= 0]
        computed = [i for i in reads if i in live]
        if computed:
            live.update(outputs)
        elif reads:
            stored |= dict.fromkeys(outputs, stored.get(reads[0], reads[0]))
        weights = [tensors[stored.get(i, i)] for i in reads[:2] if i not in computed]
        options = {} if one.builtinOptions is None else dict(vars(one.builtinOptions))
        read, written = [tensors[i] for i in reads], [tensors[i] for i in outputs]
        yield Operator(
            index,
            kind,
            written[0].name if written else "",
            inputs,
            outputs,
            _arithmetic(kind, read, [tensors[i] for i in computed], written, weights),
            _MACS[kind]([one.shape for one in read], written[0].shape, options) if kind in _MACS else 0,
            options,
        )


def _arithmetic(
    kind: str,
    read: Sequence[FileTensor],
    computed: Sequence[FileTensor],
    written: Sequence[FileTensor],
    weights: Sequence[FileTensor],
) -> str:
    if kind == "DEQUANTIZE":
        return "conversion" if computed else "unpacking"
    if kind == "QUANTIZE":
        return "int8" if read[0].type in _INTEGERS and written[0].type in _INTEGERS else "conversion"
    types = {one.type for one in (*written, *computed)}
    if types & {"float32", "float16"}:
        stored = {one.type for one in weights} & {*_INTEGERS, "float16"} if kind in _MACS else set()
        if "float16" in stored | types:
            return "float16"
        return "int8_weights" if stored else "float32"
    quantized = {one.type for one in (*computed, *written) if one.scales is not None}
    if not quantized:
        return "index"
    return "int16" if "int16" in quantized else "int8"


Shape = tuple[int, ...]


def _by_channel(channels: int) -> Callable[[list[Shape], Shape, dict[str, Any]], int]:
    return lambda read, written, _: multiply_accumulates(written, read[1], channels)


def _product(read: list[Shape], written: Shape, options: dict[str, Any]) -> int:
    return prod(written) * read[0][-2 if options.get("adjX") else -1]


_MACS: dict[str, Callable[[list[Shape], Shape, dict[str, Any]], int]] = {
    "CONV_2D": _by_channel(0),  # [O, H, W, I]
    "DEPTHWISE_CONV_2D": _by_channel(-1),  # [1, H, W, C]
    "FULLY_CONNECTED": _by_channel(0),  # [O, I]
    "TRANSPOSE_CONV": lambda read, _, __: multiply_accumulates(read[2], read[1], -1),  # [O, H, W, I]
    "BATCH_MATMUL": _product,
}
