"""Pad rows of bytes instead of pixels: the same bytes, and the app's runtime does it 35 times cheaper.

XNNPACK merges a PAD into the convolution behind it, where it costs nothing. The version inside TensorFlow
Lite 2.16.1 does so in float files only: in integer ones it compares the padding's value, a signed byte made
32 bits wide, with the zero point, an unsigned one, and a negative zero point (-128 behind every ReLU) never
matches. The PAD that is left copies a pixel a call. In memory a row is one run of width x channels bytes:
padded as such, it is copied at once.

Source: XNNPACK, src/subgraph/static-constant-pad.c and xnn_subgraph_fusion in src/subgraph.c.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.edit import add_constant, add_tensor_like, reshape, values_of
from convert.tflite.graph import operator_kinds
from model.runtime.flatbuffer import text


def pad_rows(model: Any) -> None:
    """Replace every spatial PAD of an int8 tensor [1, H, W, C] by RESHAPE, PAD of [1, 1, H, W C], RESHAPE."""
    graph = model.subgraphs[0]
    operators = []
    for kind, operator in zip(operator_kinds(model), graph.operators, strict=True):
        paddings = _paddings(model, operator) if kind == "PAD" else None
        operators += [operator] if paddings is None else _by_rows(model, operator, paddings)
    graph.operators = operators


def _paddings(model: Any, operator: Any) -> Any:
    """int32 [4, 2] of a PAD of height and width of an int8 tensor; None for any other."""
    tensors = model.subgraphs[0].tensors
    source, paddings = tensors[operator.inputs[0]], values_of(model, operator.inputs[1])
    is_picture = source.type == schema.TensorType.INT8 and len(source.shape) == 4 and source.shape[0] == 1
    if not is_picture or paddings is None:
        return None
    return None if paddings[0].any() or paddings[3].any() else paddings


def _by_rows(model: Any, operator: Any, paddings: Any) -> list[Any]:
    tensors = model.subgraphs[0].tensors
    source, target = operator.inputs[0], operator.outputs[0]
    # Of four dimensions: delegates that take no others take this.
    amounts = np.array(
        [paddings[0], paddings[3], paddings[1], paddings[2] * tensors[source].shape[3]], np.int32
    )
    flat, wide = (_in_rows(model, index) for index in (source, target))
    operator.inputs = np.array([flat, add_constant(model, "paddings", amounts)], np.int32)
    operator.outputs = np.array([wide], np.int32)
    return [reshape(model, source, flat), operator, reshape(model, wide, target)]


def _in_rows(model: Any, index: int) -> int:
    """Add a tensor [1, 1, H, W C] of the numbers of [1, H, W, C]."""
    tensor = model.subgraphs[0].tensors[index]
    _, height, width, channels = tensor.shape
    return add_tensor_like(model, index, f"{text(tensor.name)}/rows", [1, 1, height, width * channels])
