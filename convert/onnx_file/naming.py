"""Readable node names in ONNX files: the same layers as in the TFLite files, so that one recipe fits both."""

from __future__ import annotations

import ast
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from convert.tflite.naming import same_layer, weighted_layers

_SCOPES = "pkg.torch.onnx.name_scopes"
_WEIGHTED = ("Conv", "Gemm", "MatMul")


def name_nodes(model: Any, exported: Any, module: nn.Module) -> None:
    """Name every node after the layer that makes it, as `convert.tflite.naming` names tensors.

    Convolutions and matrix products are recognised by their weights; the others by the module whose call
    made them, which the exporter notes at each node and the simplifier drops. A node that makes an output
    has the output's name, one that the simplifier made new belongs to the layer of what it reads. Several
    nodes of a layer are numbered, weighted ones first: "heads/tower", "heads/tower:1".

    Args:
        model: The simplified ModelProto; its nodes are renamed.
        exported: The ModelProto as the exporter made it.
        module: The deployed network.
    """
    called = {node.name: _called(node) for node in exported.graph.node}
    weights = {one.name: one for one in model.graph.initializer}
    layers = list(weighted_layers(module))
    outputs = {one.name for one in model.graph.output}
    found: list[str] = []
    made: dict[str, str] = {}
    recognised = []
    for node in model.graph.node:
        own = None
        if node.op_type in _WEIGHTED and node.input[1] in weights:
            own = same_layer(_tflite_order(node, numpy_helper.to_array(weights[node.input[1]])), layers)
        recognised.append(own is not None)
        inherited = next((made[name] for name in node.input if name in made), "graph")
        returned = next((name for name in node.output if name in outputs), None)
        found.append(own or returned or called.get(node.name) or inherited)
        made |= dict.fromkeys(node.output, found[-1])
    counts: Counter[str] = Counter()
    order = sorted(range(len(found)), key=lambda index: not recognised[index])
    for index in order:
        layer = found[index]
        model.graph.node[index].name = f"{layer}:{counts[layer]}" if counts[layer] else layer
        counts[layer] += 1


def _called(node: Any) -> str | None:
    """The layer whose call made a node, by the exporter's note of the modules around it."""
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            module: str = ast.literal_eval(entry.value)[-2]
            return module.removeprefix("network").removeprefix(".").replace(".", "/") or "graph"
    return None


def _tflite_order(node: Any, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """[O, H, W, I], [1, H, W, C] or [O, I], whichever TFLite has for this operator."""
    if node.op_type == "Conv":
        depthwise = weight.shape[1] == 1 and weight.shape[0] > 1
        return weight.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    return weight if transposed else weight.T
