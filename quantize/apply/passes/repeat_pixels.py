"""An int8 RESIZE_NEAREST_NEIGHBOR by whole factors becomes joins of a tensor with itself: the same bytes.

XNNPACK has no such operator and leaves it to the runtime's own kernel: the file falls into parts around it.
Joined along the channels and read as a wider row, every pixel stands twice; rows joined so stand twice, too.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from convert.tflite.edit import add_tensor_like, new_operator, reshape, shape_of
from convert.tflite.graph import operator_kinds
from model.runtime.flatbuffer import text

MOST = 4
"""Tensors that XNNPACK joins at once."""
JOIN_VERSION = 2
"""The first version of CONCATENATION in int8."""


def repeat_pixels(model: Any) -> None:
    """Replace each RESIZE_NEAREST_NEIGHBOR of int8 that makes every pixel a block of equal ones."""
    operators: list[Any] = []
    for kind, operator in zip(operator_kinds(model), model.subgraphs[0].operators, strict=True):
        factors = _factors(model, operator) if kind == "RESIZE_NEAREST_NEIGHBOR" else None
        operators += [operator] if factors is None else _repeated(model, operator, *factors)
    model.subgraphs[0].operators = operators


def _factors(model: Any, resize: Any) -> tuple[int, int] | None:
    """How many rows and columns become of one; None where that is no whole number or nothing to join."""
    entry, out = (model.subgraphs[0].tensors[index] for index in (resize.inputs[0], resize.outputs[0]))
    high, wide = (int(out.shape[axis]) / int(entry.shape[axis]) for axis in (1, 2))
    whole = all(one in range(1, MOST + 1) for one in (high, wide)) and high * wide > 1
    if entry.type != schema.TensorType.INT8 or resize.builtinOptions.alignCorners:
        return None
    return (int(high), int(wide)) if whole and _scale(entry) == _scale(out) else None


def _scale(tensor: Any) -> tuple[list[float], list[int]]:
    return list(tensor.quantization.scale), list(tensor.quantization.zeroPoint)


def _repeated(model: Any, resize: Any, high: int, wide: int) -> list[Any]:
    """Joins and reshapes in place of a resize; the last one makes its output."""
    source, out = int(resize.inputs[0]), int(resize.outputs[0])
    name = text(model.subgraphs[0].tensors[out].name)
    _, rows, columns, channels = shape_of(model, source)
    width = columns * wide * channels
    made = []
    if wide > 1:
        row = add_tensor_like(model, out, f"{name}/columns", [1, rows, columns, wide * channels])
        made.append(_joined(model, source, row, 3, wide))
        source = row
    if high > 1:
        line = add_tensor_like(model, out, f"{name}/lines", [1, rows, 1, width])
        block = add_tensor_like(model, out, f"{name}/rows", [1, rows, high, width])
        made += [reshape(model, source, line), _joined(model, line, block, 2, high)]
        source = block
    return [*made, reshape(model, source, out)]


def _joined(model: Any, source: int, target: int, axis: int, count: int) -> Any:
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    return new_operator(model, "CONCATENATION", [source] * count, [target], options, JOIN_VERSION)
