"""A mean that is subtracted from the image moves into the first convolution, its border included.

(image - mean) * weight = image * weight - mean * weight, and the last term is a bias. Padding with zeros
behind the subtraction is padding with the mean before it: a row and a column that are joined to the image.
That costs a copy. XNNPACK pays 21.4 instructions a number for the subtraction in int8 and 9.4 in float32 (it
has no fast way to repeat a constant of three numbers), and in int8 it rounds every pixel to a range of more
than 255 steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.tflite.edit import add_constant, add_tensor_like, new_operator, values_of
from convert.tflite.graph import operator_kinds
from model.runtime.flatbuffer import INPUT_NAME, text

HEIGHT, WIDTH = 1, 2
"""Axes of [1, H, W, C]."""


def fold_mean(model: Any) -> None:
    """Fold a constant that is subtracted from the input into the convolutions that alone read the result.

    Exact but for the order in which single precision sums up. Where anything else reads it, it stays.
    """
    subtraction = _subtraction(model)
    readers = [] if subtraction is None else list(_readers(model, int(subtraction.outputs[0])))
    if not readers:
        return
    graph = model.subgraphs[0]
    channels = graph.tensors[graph.inputs[0]].shape[-1]
    mean = np.broadcast_to(values_of(model, subtraction.inputs[1]).reshape(-1), channels)
    made: list[Any] = []
    for each in readers:
        image = int(subtraction.inputs[0])
        for axis in (WIDTH, HEIGHT):
            image = _join_border(model, image, mean, axis, each.pads[axis], made)
        each.operator.inputs = np.array([image, each.operator.inputs[1], _bias(model, each, mean)], np.int32)
        each.operator.builtinOptions.padding = schema.Padding.VALID
    gone = {id(subtraction), *(id(each.pad) for each in readers)}
    graph.operators = [*made, *(one for one in graph.operators if id(one) not in gone)]


@dataclass(frozen=True)
class _Reader:
    """A convolution, the PAD before it or None, and what both pad: axis -> numbers before and after."""

    operator: Any
    pad: Any
    pads: dict[int, tuple[int, int]]


def _subtraction(model: Any) -> Any:
    """The SUB of one constant, or one for each channel, that alone reads the input; None without."""
    graph = model.subgraphs[0]
    entry = graph.inputs[0]
    readers = list(_reading(model, entry))
    if [kind for kind, _ in readers] != ["SUB"]:
        return None
    operator = readers[0][1]
    constant = values_of(model, operator.inputs[1])
    is_mean = constant is not None and (
        constant.size == 1 or constant.size == constant.shape[-1] == graph.tensors[entry].shape[-1]
    )
    is_fused = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    return operator if is_mean and not is_fused else None


def _readers(model: Any, tensor: int) -> Iterator[_Reader]:
    """Every convolution that reads a tensor, straight or through a PAD; none if anything else does."""
    found = []
    for kind, operator in _reading(model, tensor):
        pad = operator if kind == "PAD" else None
        for what, one in [(kind, operator)] if pad is None else _reading(model, pad.outputs[0]):
            pads = _pads(model, one, pad) if what == "CONV_2D" else None
            if pads is None:
                return
            found.append(_Reader(one, pad, pads))
    if tensor not in model.subgraphs[0].outputs:
        yield from found


def _reading(model: Any, tensor: int) -> Iterator[tuple[str, Any]]:
    for kind, operator in zip(operator_kinds(model), model.subgraphs[0].operators, strict=True):
        if tensor in operator.inputs:
            yield kind, operator


def _pads(model: Any, operator: Any, pad: Any) -> dict[int, tuple[int, int]] | None:
    """What a convolution reads beyond the image's sides; None if that is more than zeros around it."""
    tensors, options = model.subgraphs[0].tensors, operator.builtinOptions
    entry, kernel, out = (tensors[index].shape for index in (*operator.inputs[:2], operator.outputs[0]))
    explicit = np.zeros((4, 2), int) if pad is None else values_of(model, pad.inputs[1])
    if values_of(model, operator.inputs[1]) is None or explicit is None or explicit[[0, 3]].any():
        return None
    if kernel[3] != entry[3]:
        return None
    result = {}
    steps = {HEIGHT: options.strideH, WIDTH: options.strideW}
    holes = {HEIGHT: options.dilationHFactor, WIDTH: options.dilationWFactor}
    for axis, step in steps.items():
        needed = (out[axis] - 1) * step + (kernel[axis] - 1) * holes[axis] + 1
        implied = max(0, needed - entry[axis]) // 2 if options.padding == schema.Padding.SAME else 0
        before = int(explicit[axis][0]) + implied
        size = entry[axis] - explicit[axis].sum()
        result[axis] = before, max(0, int(needed - before - size))
    return result


def _bias(model: Any, reader: _Reader, mean: NDArray[np.float32]) -> int:
    """Add the bias less what the weight makes of the mean; its tensor."""
    inputs = reader.operator.inputs
    lost = (values_of(model, inputs[1]).astype(np.float64) * mean).sum((1, 2, 3))
    if len(inputs) < 3 or inputs[2] < 0:
        name = text(model.subgraphs[0].tensors[reader.operator.outputs[0]].name) + "/bias"
        return add_constant(model, name, (-lost).astype(np.float32))
    name = text(model.subgraphs[0].tensors[inputs[2]].name)
    return add_constant(model, name, (values_of(model, inputs[2]) - lost).astype(np.float32))


def _join_border(
    model: Any, image: int, mean: NDArray[np.float32], axis: int, pads: tuple[int, int], made: list[Any]
) -> int:
    """Add the operator that joins rows or columns of the mean to an image to `made`; the tensor with them."""
    shape = [int(side) for side in model.subgraphs[0].tensors[image].shape]
    borders = []
    for count in pads:
        border = np.broadcast_to(mean, [*shape[:axis], count, *shape[axis + 1 :]]).astype(np.float32)
        borders.append([add_constant(model, f"{INPUT_NAME}/mean", border)] if count else [])
    joined = [*borders[0], image, *borders[1]]
    if len(joined) == 1:
        return image
    shape[axis] += sum(pads)
    name = f"{INPUT_NAME}/{'rows' if axis == HEIGHT else 'columns'}"
    result = add_tensor_like(model, image, name, shape)
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    made.append(new_operator(model, "CONCATENATION", joined, [result], options))
    return result
