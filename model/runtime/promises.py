"""What a TFLite file promises of itself, held against itself, before anybody computes with it.

The runtime verifies that a file is a flatbuffer; it takes the numbers in it as they are, and a wrong one
crashes it or gives wrong faces. Every file is read through `model.runtime.flatbuffer.read_content`, which
asks here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from model.foundation.errors import InputError

BITS = {
    "FLOAT64": 64, "INT64": 64, "UINT64": 64, "COMPLEX64": 64, "COMPLEX128": 128, "FLOAT32": 32, "INT32": 32,
    "UINT32": 32, "FLOAT16": 16, "BFLOAT16": 16, "INT16": 16, "UINT16": 16, "INT8": 8, "UINT8": 8, "BOOL": 8,
    "INT4": 4, "UINT4": 4, "INT2": 2,
}  # fmt: skip
"""Type of a tensor -> bits of a value; of other types (strings) the size is not decided by the shape."""
MOST_BYTES = 1 << 31
"""Of a tensor: more than that is no detector's."""
SCALES = (1e-20, 1e10)
"""A tensor's scale is between them, biases of dead channels included."""
POSITIVE = (
    "strideW", "strideH", "dilationWFactor", "dilationHFactor", "filterWidth", "filterHeight", "blockSize",
    "numSplits",
)  # fmt: skip
"""Options of operators that kernels divide by, or count with."""

_TYPES = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
_KINDS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


def check_promises(model: Any, what: str) -> None:
    """Refuse a parsed file that contradicts itself or the schema.

    Args:
        model: The schema's ModelT, buffers behind the flatbuffer taken in.
        what: The file, for the message.

    Raises:
        InputError: something is out of range, of no known type, of another size than it says, or absent;
            the first such place is named.
    """
    problem = next(_problems(model), None)
    if problem is not None:
        raise InputError(f"{what} is damaged: {problem}")


def _problems(model: Any) -> Iterator[str]:
    lists = (model.subgraphs, model.buffers, model.operatorCodes)
    if any(one is None or any(entry is None for entry in one) for one in lists):
        yield "a list of subgraphs, buffers or operator codes is not whole"
        return
    if not model.subgraphs or not model.buffers:
        yield "it has no subgraph or no buffer"
        return
    for number, code in enumerate(model.operatorCodes):
        yield from _code_problems(number, code)
    for graph in model.subgraphs:
        yield from _graph_problems(model, graph)
    yield from _label_problems(model)


def _code_problems(number: int, code: Any) -> Iterator[str]:
    kind = max(code.builtinCode, code.deprecatedBuiltinCode)
    if kind not in _KINDS:
        yield f"operator code {number} is {kind}, which no operator has"
    elif _KINDS[kind] == "CUSTOM" and not _is_text(code.customCode):
        yield f"operator code {number} is a custom one without a name"


def _graph_problems(model: Any, graph: Any) -> Iterator[str]:
    if graph.tensors is None or any(tensor is None for tensor in graph.tensors):
        yield "a subgraph without tensors"
        return
    for number, tensor in enumerate(graph.tensors):
        if (problem := next(_tensor_problems(model, tensor), None)) is not None:
            yield f"tensor {number}{_named(tensor)}: {problem}"
    count = len(graph.tensors)
    inputs, outputs = _list(graph.inputs), _list(graph.outputs)
    if not all(0 <= index < count for index in (*inputs, *outputs)):
        yield f"inputs {inputs} and outputs {outputs} of {count} tensors"
        return
    if graph is model.subgraphs[0] and not (inputs and outputs):
        yield "it has no input or no output"
    yield from (f"input {index} is a constant" for index in inputs if _content(model, graph, index))
    yield from _operator_problems(model, graph)


def _tensor_problems(model: Any, tensor: Any) -> Iterator[str]:
    kind = _TYPES.get(tensor.type)
    shape = _list(tensor.shape)
    if kind is None:
        yield f"type {tensor.type}, which does not exist"
    elif not _is_text(tensor.name or b"-"):
        yield "its name is not UTF-8"
    elif not 0 <= tensor.buffer < len(model.buffers):
        yield f"buffer {tensor.buffer} of {len(model.buffers)}"
    elif any(side < 0 for side in shape) or prod(shape) * BITS.get(kind, 8) // 8 > MOST_BYTES:
        yield f"shape {shape}"
    else:
        yield from _content_problems(kind, shape, tensor, model.buffers[tensor.buffer].data)
        yield from _scale_problems(kind, shape, tensor.quantization)


def _content_problems(kind: str, shape: list[int], tensor: Any, data: Any) -> Iterator[str]:
    if data is None or not len(data) or not tensor.buffer or kind not in BITS or tensor.sparsity is not None:
        return
    expected = (prod(shape) * BITS[kind] + 7) // 8
    if len(data) != expected:
        yield f"{kind.lower()} {shape} takes {expected} bytes, its buffer {tensor.buffer} holds {len(data)}"


def _scale_problems(kind: str, shape: list[int], quantization: Any) -> Iterator[str]:
    scales = np.asarray(() if quantization is None else _list(quantization.scale, float), np.float64)
    if not len(scales):
        return
    zeros, axis = _list(quantization.zeroPoint), quantization.quantizedDimension
    if not np.all((scales >= SCALES[0]) & (scales <= SCALES[1])):
        yield "a scale that is not a positive number"
    elif len(scales) > 1 and (not 0 <= axis < len(shape) or shape[axis] != len(scales)):
        yield f"{len(scales)} scales for shape {shape} along dimension {axis}"
    elif len(zeros) not in (0, 1, len(scales)):
        yield f"{len(scales)} scales but {len(zeros)} zero points"
    elif kind in ("INT8", "UINT8", "INT16", "INT4", "INT2"):
        low = 0 if kind == "UINT8" else -(1 << (BITS[kind] - 1))
        if zeros and not low <= min(zeros) <= max(zeros) < low + (1 << BITS[kind]):
            yield f"a zero point out of {kind.lower()}'s range"


def _operator_problems(model: Any, graph: Any) -> Iterator[str]:
    """In execution order: each reads what is stored, fed or computed before, and writes nothing of that."""
    count = len(graph.tensors)
    ready = {*_list(graph.inputs), *(index for index in range(count) if _stands(model, graph, index))}
    for number, operator in enumerate(graph.operators or ()):
        if operator is None or not 0 <= operator.opcodeIndex < len(model.operatorCodes):
            yield f"operator {number} is of no kind"
            return
        inputs, outputs = _list(operator.inputs), _list(operator.outputs)
        if not all(-1 <= index < count for index in inputs) or not all(0 <= one < count for one in outputs):
            yield f"operator {number} reads {inputs} and writes {outputs} of {count} tensors"
        elif not ready.issuperset(set(inputs) - {-1}):
            absent = sorted(set(inputs) - {-1} - ready)
            yield f"operator {number} reads {absent}, which nothing before it computes"
        elif ready.intersection(outputs):
            yield f"operator {number} writes {sorted(ready.intersection(outputs))}, which is there already"
        yield from _option_problems(number, operator)
        ready.update(outputs)
    if unmade := set(_list(graph.outputs)) - ready:
        yield f"outputs {sorted(unmade)} are computed by nothing"


def _option_problems(number: int, operator: Any) -> Iterator[str]:
    options = {} if operator.builtinOptions is None else vars(operator.builtinOptions)
    for name in POSITIVE:
        if name in options and not 0 < options[name] < (1 << 16):
            yield f"operator {number}: {name} is {options[name]}"


def _label_problems(model: Any) -> Iterator[str]:
    for entry in model.metadata or ():
        if entry is None or not _is_text(entry.name) or not 0 <= entry.buffer < len(model.buffers):
            yield "a metadata entry without a name or a buffer"
    for signature in model.signatureDefs or ():
        if signature is None or not 0 <= signature.subgraphIndex < len(model.subgraphs):
            yield "a signature of no subgraph"
            return
        count = len(model.subgraphs[signature.subgraphIndex].tensors)
        for one in (*(signature.inputs or ()), *(signature.outputs or ())):
            if one is None or not _is_text(one.name) or not 0 <= one.tensorIndex < count:
                yield "a signature that names no tensor"


def _stands(model: Any, graph: Any, index: int) -> bool:
    """Whether a tensor has values before any operator runs; one without elements has all of its."""
    tensor = graph.tensors[index]
    return _content(model, graph, index) or tensor.isVariable or prod(_list(tensor.shape)) == 0


def _content(model: Any, graph: Any, index: int) -> bool:
    """Whether a tensor is stored."""
    buffer = graph.tensors[index].buffer
    data = model.buffers[buffer].data if 0 < buffer < len(model.buffers) else None
    return data is not None and len(data) > 0


def _list(values: Sequence[Any] | None, kind: type = int) -> list[Any]:
    return [] if values is None else [kind(value) for value in values]


def _is_text(value: Any) -> bool:
    try:
        return bool(value if isinstance(value, str) else (value or b"").decode())
    except UnicodeDecodeError:
        return False


def _named(tensor: Any) -> str:
    return f" ({tensor.name.decode(errors='replace')})" if isinstance(tensor.name, bytes) else ""
