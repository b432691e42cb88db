"""The rules of lint, a function each: it looks at the whole graph and yields what it finds.

What makes an int8 network collapse or slow, as measured on the first version of this detector, and what
others report of theirs (design notes: LeakyReLU leaves float islands; scores and boxes on one scale).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from convert.onnx_file.graph import OnnxGraph, attribute
from quantize.inspect.lint.channel_ranges import channel_ranges
from quantize.inspect.lint.findings import Finding, Level
from quantize.precision import FLOAT16, FLOAT32, INT8

LEVELS_OF_INT8 = 1 << INT8.weight_bits
_IN_FLOAT = f"keep the layer in {FLOAT16.name}"
SHAPING = (
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice", "Split", "Cast", "Pad",
    "Expand", "Tile",
)  # fmt: skip
BOUNDED = ("Sigmoid", "HardSigmoid", "Softmax", "Tanh", "Sin", "Cos", "Mod")
_CURVED = {
    "HardSwish": "HardSwish", "Gelu": "GELU", "Mish": "Mish", "Elu": "ELU", "Selu": "SELU", "Celu": "CELU",
}  # fmt: skip
_SAMPLING = {"DeformConv": "deformable convolution", "GridSample": "grid sampling", "RoiAlign": "RoI align"}
_GATHERS = ("Gather", "GatherND", "GatherElements")
_GROWING = {
    "Exp": "grows without bound",
    "Log": "falls without bound towards 0",
    "Reciprocal": "grows without bound towards 0",
    "Softplus": "grows without bound and curves near 0",
    "Pow": "spreads its values over many powers of ten",
}
_FLOAT_ONLY = (
    "Floor",
    "Ceil",
    "Round",
    "Erf",
    "Mod",
    "ScatterND",
    "ScatterElements",
    "NonMaxSuppression",
    "TopK",
)
_FINAL = ("Sigmoid", "Softmax", "Relu", "Clip", *SHAPING)


@dataclass(frozen=True)
class Spot:
    """Where a rule finds something; see `Finding`. `level` is given where it differs from the rule's."""

    layer: str
    reason: str
    remedy: str
    level: Level | None = None


Look = Callable[[OnnxGraph], Iterator[Spot]]


@dataclass(frozen=True)
class Rule:
    """A rule of lint.

    Attributes:
        name: That of its function.
        level: How bad what it finds is.
        look: Yields the spots of a graph.
        needs_weights: Whether it judges the weights, so that it makes no sense on untrained ones.
    """

    name: str
    level: Level
    look: Look
    needs_weights: bool = False

    def findings(self, graph: OnnxGraph) -> Iterator[Finding]:
        """What it says of a graph, spot by spot."""
        for spot in self.look(graph):
            yield Finding(self.name, spot.level or self.level, spot.layer, spot.reason, spot.remedy)


RULES: list[Rule] = []
"""All there are, in the order of this file; findings of one level stand in it."""


def rule(level: Level, *, needs_weights: bool = False) -> Callable[[Look], Look]:
    """Register a function as a rule; its name is the rule's."""

    def register(look: Look) -> Look:
        RULES.append(Rule(look.__name__, level, look, needs_weights))
        return look

    return register


@rule("error")
def deformable_sampling(graph: OnnxGraph) -> Iterator[Spot]:
    """Positions that are computed from the image, and look-ups by them."""
    for node in graph.nodes:
        if node.op_type in _SAMPLING:
            yield _sampled(graph, node, _SAMPLING[node.op_type])
        elif node.op_type in _GATHERS and graph.is_computed(node.input[1]):
            yield _sampled(graph, node, "look-up of rows whose numbers are computed from the image")


def _sampled(graph: OnnxGraph, node: Any, what: str) -> Spot:
    return Spot(
        graph.layer(node),
        f"{what}: a position that is off by one level reads another pixel",
        f"replace it by plain (separable) convolutions, or {_IN_FLOAT}",
    )


@rule("error")
def coordinates(graph: OnnxGraph) -> Iterator[Spot]:
    """Arithmetic on positions or row numbers, which needs more steps than 256."""
    for node in graph.nodes:
        if node.op_type in _GATHERS and graph.is_computed(node.input[1]):
            axis = 0 if node.op_type == "GatherND" else attribute(node, "axis", 0)
            extent, tensor = _side(graph.shape(node.input[0]), axis), node.input[1]
        elif node.op_type == "GridSample":
            extent, tensor = max(graph.shape(node.input[0])[2:], default=0), node.input[1]
        elif node.op_type == "DeformConv":
            extent, tensor = max(graph.shape(node.input[0])[2:], default=0), node.input[2]
        else:
            continue
        if node.op_type in _GATHERS or extent:
            step = extent / LEVELS_OF_INT8
            arithmetic = graph.upstream(tensor, lambda one: one.op_type in ("Conv", "Gemm", "MatMul"))
            yield Spot(
                graph.layer(node),
                f"coordinates in 256 levels: {extent:,} positions make a level {step:.3g} positions wide "
                f"({len(arithmetic)} operators compute them)",
                "keep everything between the layer that predicts positions and the sampling in "
                f"{FLOAT32.name}, or sample at fixed places",
            )


@rule("error")
def joined_outputs(graph: OnnxGraph) -> Iterator[Spot]:
    """Parts of different range that are joined on their way to an output, so that one scale serves all."""
    seen: set[int] = set()
    for output in graph.outputs:
        for node, _ in graph.sources(output, _FINAL):
            if node.op_type != "Concat" or len(graph.computed_inputs(node)) < 2 or id(node) in seen:
                continue
            seen.add(id(node))
            yield _joined(graph, node, output)


def _joined(graph: OnnxGraph, node: Any, output: str) -> Spot:
    parts, ends = [], set()
    for name in graph.computed_inputs(node):
        for source, passed in graph.sources(name, _FINAL):
            parts.append(graph.layer(source))
            ends.add(tuple(sorted({one.op_type for one in passed} & {"Sigmoid", "Softmax"})))
    mixed = _along_channels(graph, node) or len(ends) > 1
    names = ", ".join(dict.fromkeys(parts))
    level: Level = "error" if mixed else "warning"
    reason = (
        f"different quantities ({names}) become one tensor, and one scale: the widest sets the levels of all "
        "(boxes on a probability's scale, or probabilities on the boxes')"
        if mixed
        else f"{names} are joined before their values are scaled: one scale serves them all, and each is "
        "rounded a second time to reach it"
    )
    remedy = (
        "return them as outputs of their own, or say in the spec which channels are what: apply cuts them "
        "apart where nothing but moving data joins them"
        if mixed
        else "run one head on the cells of all levels (join what it reads), or keep the heads in "
        f"{FLOAT16.name}"
    )
    return Spot(output, reason, remedy, level)


def _along_channels(graph: OnnxGraph, node: Any) -> bool:
    """Whether a Concat joins channels, not cells: of [1, N, C] or [1, C, N] the cells are more."""
    shape = graph.shape(node.output[0])
    axis = attribute(node, "axis", 0) % (len(shape) or 3)
    return shape[axis] < shape[3 - axis] if len(shape) == 3 and axis else axis == (len(shape) or 3) - 1


@rule("warning")
def leaky_relu(graph: OnnxGraph) -> Iterator[Spot]:
    """Slopes below zero."""
    for node in graph.nodes:
        if node.op_type in ("LeakyRelu", "PRelu"):
            yield Spot(
                graph.layer(node),
                f"{node.op_type}: the quantizer has no {INT8.name} form, so the file goes to float and back "
                f"around it; in {INT8.name} the small negative side would get few of the 256 levels",
                f"train with ReLU, which fuses into the convolution before it, or {_IN_FLOAT}",
            )


@rule("warning")
def swish(graph: OnnxGraph) -> Iterator[Spot]:
    """x * sigmoid(x) and its relatives."""
    for node in graph.nodes:
        name = _CURVED.get(node.op_type)
        if node.op_type == "Mul" and len(node.input) == 2:
            gates = [graph.maker(one) for one in node.input]
            pairs = zip(gates, reversed(node.input), strict=True)
            if any(gate is not None and gate.op_type in ("Sigmoid", "HardSigmoid") and gate.input[0] == other
                   for gate, other in pairs):  # fmt: skip
                name = "Swish"
        if name is not None:
            yield Spot(
                graph.layer(node),
                f"{name}: what it does differently from a ReLU is at most 0.3 high, a few of 256 levels that "
                "a large positive range sets; the product is rounded twice",
                f"train with ReLU or ReLU6, or {_IN_FLOAT}",
            )


@rule("warning")
def unbounded(graph: OnnxGraph) -> Iterator[Spot]:
    """Values whose range a few images cannot tell."""
    for node in graph.nodes:
        live = graph.computed_inputs(node)
        reason = _GROWING.get(node.op_type) if live else None
        if node.op_type == "Div" and graph.is_computed(node.input[1]):
            reason = "grows without bound where the divisor nears 0"
        elif node.op_type == "Mul" and len(live) == 2 and not any(_is_bounded(graph, one) for one in live):
            reason = "multiplies two unbounded maps, so that its range is the product of theirs"
        if reason is not None:
            yield Spot(
                graph.layer(node),
                f"unbounded activation: {node.op_type} {reason}, and a rare large value takes the levels of "
                "all others",
                f"bound one side (ReLU6, hard sigmoid), or {_IN_FLOAT}",
            )


def _is_bounded(graph: OnnxGraph, tensor: str) -> bool:
    """Whether fixed bounds for a tensor follow from the graph."""
    for node, _ in graph.sources(tensor, (*SHAPING, "Resize", "MaxPool", "AveragePool", "Concat")):
        if node.op_type in BOUNDED or _is_clipped(graph, node) or _is_fraction(graph, node):
            continue
        live = graph.computed_inputs(node)
        others = [one for one in node.input if one not in live]
        linear = (
            node.op_type in ("Add", "Sub", "Mul", "Div")
            and live
            and not (node.op_type == "Div" and node.input[1] in live)
        )
        if linear and (others or node.op_type == "Mul") and all(_is_bounded(graph, one) for one in live):
            continue
        return False
    return graph.maker(tensor) is not None


def _is_clipped(graph: OnnxGraph, node: Any) -> bool:
    return (
        node.op_type == "Clip"
        and len([one for one in node.input[1:] if graph.constant(one) is not None]) == 2
    )


def _is_fraction(graph: OnnxGraph, node: Any) -> bool:
    """x - floor(x)."""
    if node.op_type != "Sub":
        return False
    floor = graph.maker(node.input[1])
    return floor is not None and floor.op_type == "Floor" and floor.input[0] == node.input[0]


@rule("warning", needs_weights=True)
def uneven_channels(graph: OnnxGraph) -> Iterator[Spot]:
    """Channels of one layer whose ranges differ so much that the smallest get no level of their own."""
    for one in channel_ranges(graph):
        if one.starved:
            yield Spot(
                one.layer,
                f"{one.starved} of {one.channels} channels are more than {one.limit:g}x smaller than the "
                f"largest ({one.ratio:.3g}x; weights differ by {one.weight_ratio:.3g}x), and the next layer "
                f"reads them amplified: they get at most {LEVELS_OF_INT8 / one.ratio:.2g} of the 256 levels",
                f"equalize the two layers (scale a channel up here and down there), or {_IN_FLOAT}",
            )


@rule("note")
def float_only(graph: OnnxGraph) -> Iterator[Spot]:
    """Operators that fast integer kernels lack: they cost time on the way to others and back."""
    for node in graph.nodes:
        if node.op_type in _FLOAT_ONLY and graph.computed_inputs(node):
            yield Spot(
                graph.layer(node),
                f"{node.op_type} has no {INT8.name} kernel: the file goes to float and back around it",
                f"move it behind the network, or {_IN_FLOAT}",
            )
        elif node.op_type == "Resize" and attribute(node, "mode", b"nearest") == b"nearest":
            yield Spot(
                graph.layer(node),
                "nearest-neighbour resizing has no XNNPACK kernel: the runtime leaves the delegate around it",
                "resize bilinearly",
            )


def _side(shape: tuple[int, ...], axis: int) -> int:
    return shape[axis] if -len(shape) <= axis < len(shape) else 0
