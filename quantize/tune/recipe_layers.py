"""The layers of a float TFLite file as a recipe sees them: operators by name, with their arithmetic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from convert.tflite.graph import WEIGHTED, Graph
from quantize.precision import INT8

_NUMBER = re.compile(r":\d+$")


@dataclass(frozen=True)
class Layer:
    """The operators that carry one layer's name ("heads/tower", "heads/tower:1" ...).

    Attributes:
        name: Without the number.
        operators: Kinds of its operators in execution order.
        macs: Multiply-accumulates of one image.
        weights: Number of constants that its convolutions and linear maps read, biases left out.
    """

    name: str
    operators: tuple[str, ...]
    macs: int
    weights: int

    @property
    def pattern(self) -> str:
        """A recipe's pattern for this layer and no other."""
        return f"^{re.escape(self.name)}(:\\d+)?$"


def layers_of(graph: Graph) -> list[Layer]:
    """The layers of a file in execution order, those with an operator that int8 can compute.

    Weights that several operators share are counted once.
    """
    found: dict[str, list[tuple[str, int, int]]] = {}
    counted: set[int] = set()
    for operator in graph.operators:
        size = 0
        if operator.kind in WEIGHTED:
            weight = graph.tensors[operator.inputs[1]]
            size = 0 if weight.buffer in counted else prod(weight.shape)
            counted.add(weight.buffer)
        row = (operator.kind, operator.macs, size)
        found.setdefault(_NUMBER.sub("", operator.layer), []).append(row)
    return [
        Layer(name, tuple(kind for kind, _, _ in rows), sum(r[1] for r in rows), sum(r[2] for r in rows))
        for name, rows in found.items()
        if any(INT8.covers(kind) for kind, _, _ in rows)
    ]
