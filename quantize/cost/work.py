"""The work of an operator as XNNPACK sees it: which kernel, on how much."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import msgspec
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.graph import FileTensor, Graph, Operator

BINARY = {"ADD": "add", "SUB": "add", "MUL": "mul", "MAXIMUM": "add", "MINIMUM": "add"}
"""A subtraction, a maximum and a minimum take an addition's kernel with another instruction in its middle."""
_POOLING = {"MAX_POOL_2D": "max pool", "AVERAGE_POOL_2D": "average pool"}


class Work(msgspec.Struct, frozen=True):
    """How much of what one operator does.

    Attributes:
        kernel: XNNPACK's family: "gemm" (1x1), "igemm" (any other convolution), "dwconv", or the runtime's
            own word where there is one kernel for all.
        type: Of what is computed: "int8" or "float32"; "dynamic" where the weights alone are integers.
        pixels: Output positions; rows that are worked on one after another.
        depth: Input channels that a product sums over; 0 where none are summed.
        channels: Of the output; all elements where rows do not matter.
        taps: Positions of a filter or a pooling window.
    """

    kernel: str
    type: str
    pixels: int
    depth: int
    channels: int
    taps: int = 1


def works_of(graph: Graph) -> list[tuple[Operator, Work]]:
    """What a file does at each inference, in execution order; nothing for what XNNPACK merges away."""
    return [
        (one, _work(graph, one))
        for one in graph.operators
        if graph.computed.intersection(one.outputs) and not _is_merged(graph, one)
    ]


def _is_merged(graph: Graph, one: Operator) -> bool:
    """Padding of rows and columns that only convolutions without padding of their own read."""
    if one.kind != "PAD" or len(graph.tensors[one.outputs[0]].shape) != 4:
        return False
    before, after = (graph.tensors[i].shape for i in (one.reads[0], one.outputs[0]))
    readers = [other for other in graph.operators if one.outputs[0] in other.reads]
    unpadded = [
        other.kind in ("CONV_2D", "DEPTHWISE_CONV_2D") and other.options["padding"] == schema.Padding.VALID
        for other in readers
    ]
    return before[3] == after[3] and bool(unpadded) and all(unpadded)


def _work(graph: Graph, one: Operator) -> Work:
    read, made = graph.tensors[one.reads[0]], graph.tensors[one.outputs[0]]
    kind = "int8" if made.scales is not None else "float32"
    if one.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return _product(graph, one, read, made, kind)
    if one.kind in BINARY:
        return _binary(BINARY[one.kind], [graph.tensors[i] for i in one.reads], made, kind)
    if one.kind in ("QUANTIZE", "DEQUANTIZE"):
        return Work(f"{read.type} to {made.type}", kind, 1, 0, prod(made.shape))
    if one.kind in _POOLING:
        taps = one.options["filterHeight"] * one.options["filterWidth"]
        return Work(_POOLING[one.kind], kind, prod(made.shape[:-1]), 0, made.shape[-1], taps)
    if one.kind in ("MEAN", "SUM", "REDUCE_MAX"):
        over = "channels" if made.shape[-1] == 1 else "pixels"
        return Work(f"{one.kind.lower()} of {over}", kind, prod(read.shape[:-1]), 0, read.shape[-1])
    if one.kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SOFTMAX", "PAD"):
        return Work(one.kind.lower(), kind, prod(made.shape[:-1]), 0, made.shape[-1])
    if one.kind == "CONCATENATION" and one.options["axis"] in (-1, len(made.shape) - 1):
        return Work("concatenation of channels", kind, prod(made.shape[:-1]), 0, made.shape[-1])
    return Work(one.kind.lower(), kind, 1, 0, prod(made.shape))


def _product(graph: Graph, one: Operator, read: FileTensor, made: FileTensor, kind: str) -> Work:
    weights = graph.tensors[one.inputs[1]].shape
    pixels, channels = prod(made.shape[:-1]), made.shape[-1]
    if kind == "float32" and graph.tensors[one.reads[1]].scales is not None:
        kind = "dynamic"
    if one.kind == "FULLY_CONNECTED":
        return Work("gemm", kind, pixels, weights[-1], channels)
    taps = weights[1] * weights[2]
    if one.kind == "DEPTHWISE_CONV_2D":
        return Work("dwconv", kind, pixels, 0, channels, taps)
    plain = taps == 1 and one.options["strideH"] == one.options["strideW"] == 1
    return Work("gemm" if plain else "igemm", kind, pixels, read.shape[-1], channels, taps)


def _binary(kernel: str, reads: Sequence[FileTensor], made: FileTensor, kind: str) -> Work:
    """By how the smaller operand is spread over the larger one; without that, rows do not matter."""
    shape = made.shape
    small = min((one.shape for one in reads), key=prod)
    if prod(small) == prod(shape) or prod(small) == 1:
        return Work(kernel, kind, 1, 0, prod(shape))
    if small[-1] == 1:
        return Work(f"{kernel} by pixel", kind, prod(shape[:-1]), 0, shape[-1])
    shared = 1  # trailing sides that both have are one row
    for side in range(1, len(small) + 1):
        if small[-side] != shape[-side]:
            break
        shared *= shape[-side]
    return Work(f"{kernel} by channel", kind, prod(shape) // shared, 0, shared)
