"""Readable tensor names: "backbone/stage2/4/depthwise" in place of the converter's chains of classes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convert.tflite.graph import WEIGHTED, operator_kinds
from model.runtime.flatbuffer import text

_COUNTER = re.compile(r";\d*$")
SAME_WEIGHT = 1e-5
"""Two weights are the same when they differ by less than this share of the largest."""


def name_layers(model: Any, module: nn.Module) -> None:
    """Name every tensor of the first subgraph but its inputs and outputs after the layer that makes it.

    Convolutions and linear layers are recognised by their weights: the converter's own names follow the
    calls of modules, which weight-sharing layers bypass. What has no weight gets its name from
    the converter's: "module.Class_attribute" for each step down the tree, of fused layers the deepest.
    Several tensors of a layer are numbered ("heads/tower", "heads/tower:1"), weighted ones first, in
    the order in which they are computed, so names are unique and stable.
    """
    graph = model.subgraphs[0]
    names = _Names(graph)
    layers = list(weighted_layers(module))
    for kind, operator in zip(operator_kinds(model), graph.operators, strict=True):
        if kind in WEIGHTED and (layer := _layer_of(model, graph.tensors[operator.inputs[1]], layers)):
            names.give(operator.outputs[0], layer)
            for role, index in zip(("weight", "bias"), operator.inputs[1:], strict=False):
                names.give(index, f"{layer}/{role}")
    for index in [*(index for op in graph.operators for index in op.outputs), *range(len(graph.tensors))]:
        names.give(index, _called(text(graph.tensors[index].name), module))


def number_names(model: Any) -> None:
    """Make the names of the first subgraph's tensors unique, in the order in which they are computed.

    Inputs and outputs keep theirs; a tensor without a name gets one.
    """
    graph = model.subgraphs[0]
    names = _Names(graph)
    for index in [*(index for op in graph.operators for index in op.outputs), *range(len(graph.tensors))]:
        names.give(index, text(graph.tensors[index].name or "tensor"))


class _Names:
    """Gives each tensor one name and keeps them unique."""

    def __init__(self, graph: Any) -> None:
        self._tensors = graph.tensors
        self._done = {*graph.inputs, *graph.outputs}
        self._counts: dict[str, int] = {text(graph.tensors[index].name): 1 for index in self._done}

    def give(self, index: int, name: str) -> None:
        if index in self._done or index < 0:
            return
        self._done.add(index)
        number = self._counts.get(name, 0)
        self._counts[name] = number + 1
        self._tensors[index].name = f"{name}:{number}" if number else name


def weighted_layers(module: nn.Module) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each weighted layer's name and its weight in TFLite's order: [O, H, W, I], [1, H, W, C] or [O, I]."""
    for path, layer in module.named_modules():
        if hasattr(layer, "convolution_weights"):
            weights: dict[str, Tensor] = layer.convolution_weights()
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            weights = {"": layer.weight}
        else:
            continue
        base = path.removeprefix("network.").replace(".", "/")
        for suffix, weight in weights.items():
            yield f"{base}/{suffix}" if suffix else base, _tflite_order(weight)


def _tflite_order(weight: Tensor) -> NDArray[np.float32]:
    with torch.no_grad():
        if weight.ndim == 4:
            depthwise = weight.shape[1] == 1 and weight.shape[0] > 1
            weight = weight.permute(1, 2, 3, 0) if depthwise else weight.permute(0, 2, 3, 1)
        return weight.numpy()


def _layer_of(model: Any, tensor: Any, layers: list[tuple[str, NDArray[np.float32]]]) -> str | None:
    data = model.buffers[tensor.buffer].data
    if data is None:
        return None
    weight = np.frombuffer(bytes(data), np.float32)
    return same_layer(weight.reshape(tensor.shape), layers)


def same_layer(weight: NDArray[np.float32], layers: list[tuple[str, NDArray[np.float32]]]) -> str | None:
    """The name of the layer that has this weight, in TFLite's order; sides of 1 do not count.

    A positive multiple counts: the converter multiplies a layer by a constant that follows it.
    """
    shape = tuple(size for size in weight.shape if size != 1)
    for name, candidate in layers:
        if tuple(size for size in candidate.shape if size != 1) != shape:
            continue
        mine, theirs = candidate.reshape(-1), weight.reshape(-1)
        factor = float(mine @ theirs) / max(float(mine @ mine), 1e-30)
        if factor > 0 and np.abs(factor * mine - theirs).max() <= SAME_WEIGHT * np.abs(theirs).max():
            return name
    return None


def _called(name: str, module: nn.Module) -> str:
    """The layer whose call made a tensor, from the converter's name for it."""
    paths = [_path(part, module) for part in _COUNTER.sub("", name).split(";;")]
    deepest = max(paths, key=len)
    return "/".join(deepest) if deepest else "constant" if name.startswith("arith.") else "graph"


def _path(name: str, module: nn.Module) -> list[str]:
    """Attribute names down the tree, without the wrapper's own ("network")."""
    path: list[str] = []
    for segment in _COUNTER.sub("", name).split("/")[1:]:
        for attribute, child in _children(module):
            last = attribute.rsplit("/", 1)[-1]
            if segment == f"{type(child).__module__}.{type(child).__qualname__}_{last}":
                path.append(attribute)
                module = child
                break
        else:
            break
    return path[1:]


def _children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Children with their names; a ModuleList is never called itself, so its members stand for it."""
    for attribute, child in module.named_children():
        if isinstance(child, nn.ModuleList):
            yield from ((f"{attribute}/{name}", member) for name, member in child.named_children())
        else:
            yield attribute, child
