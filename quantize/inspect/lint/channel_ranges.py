"""How unequal the channels of a layer are, told from weights alone.

Weights have a scale for each channel, so unequal weights alone cost nothing. Activations have one scale
for all channels: what is lost is a channel whose *output* is small against the largest, if the next layer
amplifies it again. A channel that no later layer hears (a dead one, as batch norms leave them) may be lost.

Source: Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, 2019,
sections 3.1 and 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.onnx_file.graph import OnnxGraph, attribute

LIMIT = 100.0
"""Channels that differ by more get two of 256 levels or fewer."""
_ELEMENTWISE = ("Relu", "Clip", "LeakyRelu", "PRelu", "Identity", "Sigmoid")
_KEEPING = (
    *_ELEMENTWISE,
    "Add",
    "Mul",
    "MaxPool",
    "AveragePool",
    "Resize",
    "Pad",
    "GlobalAveragePool",
    "ReduceMean",
)
"""Operators behind which a channel is still the same channel."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelRanges:
    """One layer's output channels.

    Attributes:
        layer: Its name.
        channels: How many.
        starved: How many are more than LIMIT smaller than the largest and yet heard by a later layer.
        ratio: Largest to smallest range of the heard channels.
        weight_ratio: Largest to smallest weight range of all channels.
        limit: LIMIT.
    """

    layer: str
    channels: int
    starved: int
    ratio: float
    weight_ratio: float
    limit: float = LIMIT


def channel_ranges(graph: OnnxGraph) -> Iterator[ChannelRanges]:
    """Look at every layer with constant weights and several output channels."""
    for node in graph.nodes:
        weight = _weight(graph, node)
        if weight is None or len(weight) < 2:
            continue
        ranges = _outgoing(graph, node, weight)
        heard = ranges > 0
        small = heard & (ranges < ranges.max(initial=0) / LIMIT)
        if small.any():
            loudness = _loudness(graph, node.output[0], ranges)
            if loudness is not None:
                heard &= loudness >= loudness.max(initial=0) / LIMIT
        weights = np.abs(weight).reshape(len(weight), -1).max(1)
        if heard.any():
            yield ChannelRanges(
                graph.layer(node),
                len(weight),
                int((small & heard).sum()),
                float(ranges.max() / ranges[heard].min()),
                float(weights.max() / weights[weights > 0].min()),
            )


def _weight(graph: OnnxGraph, node: Any) -> Floats | None:
    """[outputs, inputs / groups, ...]; None where it is no layer with constant weights."""
    if node.op_type not in ("Conv", "Gemm", "MatMul"):
        return None
    weight = graph.constant(node.input[1])
    if weight is None or weight.ndim < 2:
        return None
    if node.op_type != "Conv" and not attribute(node, "transB", 0):
        weight = weight.T
    return np.asarray(weight, np.float64)


def _outgoing(graph: OnnxGraph, node: Any, weight: Floats) -> Floats:
    """Range of each output channel, up to a factor of the layer: sum |w| times the range of what it reads."""
    groups = int(attribute(node, "group", 1))
    sizes = np.abs(weight).reshape(*weight.shape[:2], -1).sum(2)
    incoming = _incoming(graph, node.input[0], sizes.shape[1] * groups)
    part = np.repeat(incoming.reshape(groups, -1), len(weight) // groups, axis=0)
    return np.asarray((sizes * part).sum(1))


def _incoming(graph: OnnxGraph, tensor: str, channels: int) -> Floats:
    """Ranges of the channels that a layer reads, by the layer right before it; ones where there is none."""
    for node, _ in graph.sources(tensor, _ELEMENTWISE):
        weight = _weight(graph, node)
        if weight is not None and len(weight) == channels:
            ranges = np.abs(weight).reshape(channels, -1).sum(1)
            return ranges / ranges.max() if ranges.max() else np.ones(channels)
    return np.ones(channels)


def _loudness(graph: OnnxGraph, tensor: str, ranges: Floats) -> Floats | None:
    """What each channel contributes at most to a later layer; None where it cannot be told."""
    found = np.zeros(len(ranges))
    told = False
    waiting, seen = [tensor], {tensor}
    while waiting:
        name = waiting.pop()
        if name in graph.outputs:
            return None
        for node in graph.readers(name):
            weight = _weight(graph, node)
            if weight is not None and node.input[0] == name:
                gains = _gains(weight, int(attribute(node, "group", 1)))
                if len(gains) != len(ranges):
                    return None
                part = ranges * gains
                found, told = np.maximum(found, part / (part.max() or 1)), True
            elif node.op_type in _KEEPING:
                new = [one for one in node.output if one and one not in seen]
                seen.update(new)
                waiting += new
            else:
                return None
    return found if told else None


def _gains(weight: Floats, groups: int) -> Floats:
    """The largest weight that each input channel is multiplied by."""
    sizes = np.abs(weight).reshape(*weight.shape[:2], -1).max(2)
    per_group = sizes.reshape(groups, len(weight) // groups, -1)
    return np.asarray(per_group.max(1).reshape(-1))
