"""The input of a foreign file becomes RGB in 0..255: channel order, mean and std go into its graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.tflite.edit import add_constant, add_tensor, new_operator, values_of
from convert.tflite.graph import operator_kinds
from model.geometry.spec import DetectorSpec

Floats = NDArray[np.float32]
NAME = "pixels"
"""Of the layer that is put in front."""


def take_pixels(model: Any, spec: DetectorSpec) -> None:
    """Let a file that wants its channels ordered and scaled as the spec says take RGB in 0..255.

    Where a convolution reads the image, it reads the channels in RGB's order and its weights are divided
    by std; only the mean is subtracted in front, because what is padded must stay the mean colour. Any
    other first layer gets a convolution of one pixel before it that does all three.
    """
    order = [0, 1, 2] if spec.channel_order == "RGB" else [2, 1, 0]
    mean, std = (np.array(values, np.float32)[order] for values in (spec.mean, spec.std))
    if order == [0, 1, 2] and not mean.any() and np.all(std == 1):
        return
    readers = list(_first_convolutions(model))
    for operator, weight in readers:
        # The file's channel i is RGB's channel order[i], and reversing twice is doing nothing.
        operator.inputs[1] = add_constant(model, f"{NAME}/weight", weight[..., order] / std)
    if not readers:
        _put_in_front(model, _convolution(model, order, mean, std))
    elif mean.any():
        _put_in_front(model, _subtraction(model, mean))


def _first_convolutions(model: Any) -> Iterator[tuple[Any, Floats]]:
    """The convolutions that read the image and their weights [O, H, W, 3], or none if others read it too."""
    graph = model.subgraphs[0]
    found = []
    for kind, operator in zip(operator_kinds(model), graph.operators, strict=True):
        if graph.inputs[0] in operator.inputs:
            weight = values_of(model, operator.inputs[1]) if kind == "CONV_2D" else None
            if weight is None or weight.shape[-1] != len("RGB"):
                return
            found.append((operator, weight))
    yield from found


def _convolution(model: Any, order: list[int], mean: Floats, std: Floats) -> Any:
    weight = (np.eye(3, dtype=np.float32)[order] / std[order, None]).reshape(3, 1, 1, 3)
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    constants = [
        add_constant(model, f"{NAME}/weight", weight),
        add_constant(model, f"{NAME}/bias", -(mean / std)[order]),
    ]
    return new_operator(model, "CONV_2D", [model.subgraphs[0].inputs[0], *constants], [], options)


def _subtraction(model: Any, mean: Floats) -> Any:
    constant = add_constant(model, f"{NAME}/mean", mean)
    return new_operator(model, "SUB", [model.subgraphs[0].inputs[0], constant], [], schema.SubOptionsT())


def _put_in_front(model: Any, operator: Any) -> None:
    """Let all that read the image read what an operator without an output makes of it."""
    graph = model.subgraphs[0]
    entry = graph.inputs[0]
    result = add_tensor(model, NAME, graph.tensors[entry].shape)
    for other in graph.operators:
        other.inputs = np.array([result if one == entry else one for one in other.inputs], np.int32)
    operator.outputs = np.array([result], np.int32)
    graph.operators.insert(0, operator)
