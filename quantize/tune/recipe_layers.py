"""The layers of a float TFLite file as a recipe sees them: operators by name, with their arithmetic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.tflite.operators import operator_names
from quantize.apply.quantizer import FLOAT_ONLY, layer_names

_NUMBER = re.compile(r":\d+$")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


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


def layers_of(model: Any) -> list[Layer]:
    """The layers of a parsed file in execution order, those with an operator that int8 can compute.

    Weights that several operators share are counted once.
    """
    graph = model.subgraphs[0]
    found: dict[str, list[tuple[str, int, int]]] = {}
    counted: set[int] = set()
    for kind, name, operator in zip(operator_names(model), layer_names(model), graph.operators, strict=True):
        macs, buffer, size = _arithmetic(graph, kind, operator)
        if buffer in counted:
            size = 0
        counted.add(buffer)
        found.setdefault(_NUMBER.sub("", name), []).append((kind, macs, size))
    return [
        Layer(name, tuple(kind for kind, _, _ in rows), sum(r[1] for r in rows), sum(r[2] for r in rows))
        for name, rows in found.items()
        if any(kind not in FLOAT_ONLY for kind, _, _ in rows)
    ]


def _arithmetic(graph: Any, kind: str, operator: Any) -> tuple[int, int, int]:
    """Multiply-accumulates of an operator, its weight's buffer (-1 without) and number of weights."""
    if kind not in (*_CONVOLUTIONS, "FULLY_CONNECTED"):
        return 0, -1, 0
    weight = graph.tensors[operator.inputs[1]]
    output = int(np.prod(graph.tensors[operator.outputs[0]].shape))
    # [O, H, W, I], [1, H, W, C] or [O, I]: an output element takes what one output channel's weights are.
    channels = weight.shape[-1] if kind == "DEPTHWISE_CONV_2D" else weight.shape[0]
    size = int(np.prod(weight.shape))
    return output * (size // int(channels)), int(weight.buffer), size
