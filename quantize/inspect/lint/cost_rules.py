"""Rules about cost: layers that the kernels of a phone do far above their best price.

Prices are instructions of LiteRT 2.3's int8 kernels on an emulated Cortex-A53, one thread, counted layer by
layer with `featherface latency --device arm64 --profile`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from convert.onnx_file.graph import OnnxGraph, attribute
from quantize.inspect.lint.rules import Spot, rule

LEAST_WASTE = 100_000
"""Instructions above the best price that are worth a line: V2 at 320 takes 59.5 million."""
TILE = 16
"""Output channels that the kernels of a Cortex-A53, A55 and A76 compute at once; an A72's compute 8."""
BEST, BEST_DEPTHWISE = 0.40, 0.78
"""Of a multiply-accumulate: 1x1 and dense 3x3 to a multiple of TILE channels; depthwise 3x3 on 64."""
NARROW_DEPTHWISE, WIDE_KERNEL = 1.68, 12.0
"""Of a multiply-accumulate: depthwise 3x3 on 8 channels; depthwise 7x7, which has no kernel."""
UNFUSED, REPEATED, ADDITION = 43.6, 21.4, 2.5
"""Of an output: a RELU by itself; an operator with a constant of three numbers, and with another map."""
AVERAGE_POOL, MAX_POOL = 17.0, 4.0
"""Of an output of a window of 2x2."""
SPACE_TO_DEPTH = 5.3
"""Of an input, blocks of 2."""
_CLAMPING = ("Relu", "Clip")
_CLAMPED = ("Conv", "Gemm", "MatMul", "Add", "Sub", "Mul")
_ELEMENTWISE = ("Add", "Sub", "Mul", "Div")


@rule("note")
def narrow_outputs(graph: OnnxGraph) -> Iterator[Spot]:
    """Products whose output channels fill the kernels' tiles badly."""
    for node in graph.nodes:
        if not _is_product(graph, node):
            continue
        channels = graph.shape(node.input[1])[0 if node.op_type == "Conv" else -1]
        paid = TILE * math.ceil(channels / TILE)
        yield from _spot(
            graph, node, graph.macs(node) * BEST, paid / channels,
            f"{channels} output channels are computed as {paid}",
            f"give it a multiple of {TILE} channels, or join it with another narrow layer on the same map",
        )  # fmt: skip


@rule("note")
def narrow_depthwise(graph: OnnxGraph) -> Iterator[Spot]:
    """Depthwise convolutions on fewer channels than a register holds."""
    for node in graph.nodes:
        channels = _depthwise(graph, node)
        if 0 < channels < TILE and _side(graph, node) <= 5:
            yield from _spot(
                graph, node, graph.macs(node) * BEST_DEPTHWISE, NARROW_DEPTHWISE / BEST_DEPTHWISE,
                f"a depthwise convolution on {channels} channels leaves half of each register empty",
                "make the first convolution twice as wide and leave this layer out",
            )  # fmt: skip


@rule("note")
def wide_depthwise(graph: OnnxGraph) -> Iterator[Spot]:
    """Depthwise convolutions that no kernel of their own computes."""
    for node in graph.nodes:
        side = _side(graph, node) if _depthwise(graph, node) else 0
        if side > 5:
            yield from _spot(
                graph, node, graph.macs(node) * BEST_DEPTHWISE, WIDE_KERNEL / BEST_DEPTHWISE,
                f"there are kernels for depthwise 3x3 and 5x5, none for {side}x{side}",
                "two or three depthwise 3x3 one after the other see as far",
            )  # fmt: skip


@rule("note")
def unfused_activation(graph: OnnxGraph) -> Iterator[Spot]:
    """A clamp that cannot move into the operator before it."""
    for node in graph.nodes:
        maker = graph.maker(node.input[0]) if node.op_type in _CLAMPING else None
        if maker is None or (maker.op_type in _CLAMPED and len(graph.readers(node.input[0])) == 1):
            continue
        why = "others read it unclamped" if maker.op_type in _CLAMPED else f"{maker.op_type} takes none in"
        yield from _spot(
            graph, node, _numbers(graph, node) * 1.0, UNFUSED,
            f"an activation by itself runs as an operator of its own: {why}",
            "put it right behind a convolution, an addition or a multiplication that nothing else reads",
        )  # fmt: skip


@rule("note")
def repeated_constant(graph: OnnxGraph) -> Iterator[Spot]:
    """A few numbers that are repeated for every pixel, but where convert folds them."""
    for node in graph.nodes:
        live = graph.computed_inputs(node)
        if node.op_type not in _ELEMENTWISE or len(live) != 1 or len(node.input) != 2:
            continue
        constant = graph.constant(next(name for name in node.input if name not in live))
        narrow = constant is not None and 1 < constant.size < TILE
        if narrow and not _is_folded_mean(graph, node, live[0]):
            yield from _spot(
                graph, node, _numbers(graph, node) * ADDITION, REPEATED / ADDITION,
                "a constant of a few channels is repeated for every pixel",
                "fold it into the convolution behind it, or repeat it along rows beforehand ([1, 1, 3 W])",
            )  # fmt: skip


@rule("note")
def average_pool(graph: OnnxGraph) -> Iterator[Spot]:
    """Windows that are averaged."""
    for node in graph.nodes:
        if node.op_type == "AveragePool":
            yield from _spot(
                graph, node, _numbers(graph, node) * MAX_POOL, AVERAGE_POOL / MAX_POOL,
                "averaging a window costs four times its maximum",
                "take the maximum, or a convolution with stride 2 where one follows",
            )  # fmt: skip


@rule("note")
def space_to_depth(graph: OnnxGraph) -> Iterator[Spot]:
    """Pixels that are sorted into channels."""
    for node in graph.nodes:
        if node.op_type == "SpaceToDepth" and graph.computed_inputs(node):
            yield from _spot(
                graph, node, _numbers(graph, node) * 1.0, SPACE_TO_DEPTH,
                "sorting pixels into channels costs more than it saves the convolution behind it",
                "a convolution with that stride reads the same numbers where they are",
            )  # fmt: skip


def _spot(graph: OnnxGraph, node: Any, best: float, times: float, why: str, remedy: str) -> Iterator[Spot]:
    """What a layer costs against its best price in instructions; nothing where that is little."""
    wasted = best * (times - 1)
    if wasted >= LEAST_WASTE:
        price = f"costs {times:.2g} times the best, {wasted / 1e6:.1f} M instructions more on a Cortex-A53"
        yield Spot(graph.layer(node), f"{price}: {why}", remedy)


def _is_product(graph: OnnxGraph, node: Any) -> bool:
    if node.op_type == "Conv":
        return bool(attribute(node, "group", 1) == 1)
    return node.op_type in ("Gemm", "MatMul") and graph.constant(node.input[1]) is not None


def _depthwise(graph: OnnxGraph, node: Any) -> int:
    """Channels of a depthwise convolution; 0 of anything else."""
    groups = attribute(node, "group", 1) if node.op_type == "Conv" else 1
    return groups if groups > 1 and graph.shape(node.input[1])[1] == 1 else 0


def _side(graph: OnnxGraph, node: Any) -> int:
    return max(graph.shape(node.input[1])[2:], default=0)


def _numbers(graph: OnnxGraph, node: Any) -> int:
    """Of its output."""
    return math.prod(graph.shape(node.output[0]))


def _is_folded_mean(graph: OnnxGraph, node: Any, entry: str) -> bool:
    """Whether it subtracts a mean from the image, for convolutions alone; see convert's pass `fold_mean`."""
    readers = graph.readers(node.output[0])
    is_image = graph.maker(entry) is None and len(graph.readers(entry)) == 1
    before_convolutions = all(one.op_type in ("Conv", "Pad") for one in readers)
    return bool(node.op_type == "Sub") and is_image and before_convolutions
