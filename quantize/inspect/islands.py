"""Stretches of float arithmetic between integer operators, and outputs that share a scale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convert.tflite.graph import ON_INTEGERS, Graph, Operator

KEEPS_SCALE = (
    "RESHAPE", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "TRANSPOSE", "GATHER", "UNPACK", "SQUEEZE",
    "EXPAND_DIMS",
)  # fmt: skip
Place = Literal["between", "head", "tail", "apart"]


@dataclass(frozen=True)
class Island:
    """Operators that compute in float and hang together.

    Attributes:
        place: "between" integer operators (converted from and back to integers), at the "head" (from the
            input), at the "tail" (to an output), or "apart" (from an input to an output).
        layers: Names of the operators' layers in execution order.
        entered_at, left_at: Names of the integer tensors that are converted to float and from float.
        macs: Multiply-accumulates in it.
    """

    place: Place
    layers: tuple[str, ...]
    entered_at: tuple[str, ...]
    left_at: tuple[str, ...]
    macs: int


def find_islands(graph: Graph) -> list[Island]:
    """All stretches of float in a file that has integer operators; none in a file without.

    Operators belong together when they share a computed tensor without a scale. Two that read the same
    converted tensor are one island: it is converted once.
    """
    if not any(one.arithmetic in ON_INTEGERS for one in graph.operators):
        return []
    groups = _Groups()
    stretches: dict[int, list[Operator]] = defaultdict(list)
    for one in graph.operators:
        tensors = _float_tensors(graph, one)
        for tensor in tensors:
            groups.join(tensors[0], tensor)
    for one in graph.operators:
        if tensors := _float_tensors(graph, one):
            stretches[groups.first(tensors[0])].append(one)
    return [_island(graph, members) for members in stretches.values()]


def _float_tensors(graph: Graph, one: Operator) -> Sequence[int]:
    """The computed tensors without a scale that an operator touches."""
    if one.arithmetic in ("unpacking", *ON_INTEGERS):
        return ()
    if one.arithmetic == "conversion":
        return one.outputs if one.kind == "DEQUANTIZE" else one.reads[:1]
    return [
        tensor
        for tensor in (*one.reads, *one.outputs)
        if graph.tensors[tensor].scales is None and (tensor in graph.inputs or _is_live(graph, tensor))
    ]


def _is_live(graph: Graph, tensor: int) -> bool:
    maker = graph.makers.get(tensor)
    return maker is not None and maker.arithmetic != "unpacking"


def _island(graph: Graph, members: Sequence[Operator]) -> Island:
    entered = [graph.tensors[one.reads[0]].name for one in members if one.kind == "DEQUANTIZE"]
    left = [one.layer for one in members if one.kind == "QUANTIZE"]
    touched = {i for one in members for i in (*one.reads, *one.outputs)}
    begins = bool(touched & set(graph.inputs))
    ends = bool(touched & set(graph.outputs))
    place: Place = "between"
    if not (entered and left):
        place = "tail" if entered and ends else "head" if left and begins else "apart"
    layers = tuple(one.layer for one in members if one.arithmetic != "conversion")
    return Island(place, layers, tuple(entered), tuple(left), sum(one.macs for one in members))


class _Groups:
    """Disjoint sets of tensors."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def first(self, tensor: int) -> int:
        while (parent := self._parents.setdefault(tensor, tensor)) != tensor:
            tensor = parent
        return tensor

    def join(self, one: int, other: int) -> None:
        self._parents[self.first(other)] = self.first(one)


def separately_scaled(graph: Graph) -> dict[int, int]:
    """Output -> the tensor that its scale belongs to: outputs cut from one integer tensor share it."""
    roots = {}
    for output in graph.outputs:
        tensor = output
        while (maker := graph.makers.get(tensor)) is not None and maker.kind in KEEPS_SCALE:
            scale = graph.tensors[tensor].scale
            source = next((i for i in maker.reads if graph.tensors[i].scale == scale), None)
            if source is None or scale is None:
                break
            tensor = source
        roots[output] = tensor
    return roots
