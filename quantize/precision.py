"""What a layer can become, a row each; recipes name rows, and every tool reads what it needs from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Method = Literal["untouched", "static", "dynamic", "weights"]
"""How the quantizer goes about it.

untouched: not at all. static: weights and activations are integers, by activation ranges that were
measured. dynamic: weights are integers; the kernel finds the range of what it reads, in each inference.
weights: weights are stored in fewer bits, unpacked once, and computed with in float.
"""

WITH_WEIGHTS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
"""TFLite operators that read weights: those that a precision of weights alone is for."""
WITHOUT_INT8 = frozenset({"EMBEDDING_LOOKUP", "LEAKY_RELU", "FLOOR", "CAST"})
"""TFLite operators without an int8 form in the quantizer."""

MOST_INTEGER_BITS = 8
"""Weights of more bits are stored as floats."""


@dataclass(frozen=True)
class Precision:
    """A row of the table.

    Attributes:
        name: As recipes and records write it.
        method: What the quantizer is asked for.
        weight_bits: Of a weight; static ones have a scale for each output channel.
        kinds: TFLite operators that have a kernel for it; None for all but those in `lacking`.
        lacking: TFLite operators that have none. What no kernel takes stays float32, whatever a recipe says.
        onnx: Its form in an ONNX file: "qdq" (QuantizeLinear and DequantizeLinear, by NNCF), "cast" (stored
            weights with a Cast behind), "as_is", or None where ONNX Runtime has nothing of the kind.
    """

    name: str
    method: Method
    weight_bits: int
    kinds: frozenset[str] | None = None
    lacking: frozenset[str] = frozenset()
    onnx: Literal["qdq", "cast", "as_is"] | None = None

    @property
    def needs_ranges(self) -> bool:
        """Whether activation ranges must be measured before."""
        return self.method == "static"

    @property
    def stored(self) -> str:
        """Type of a weight in a TFLite file: "int8"."""
        return (
            f"float{self.weight_bits}" if self.weight_bits > MOST_INTEGER_BITS else f"int{self.weight_bits}"
        )

    @property
    def arithmetic(self) -> str:
        """How an operator with weights computes then: a name of `convert.tflite.graph.ARITHMETIC`."""
        integer_weights = self.weight_bits <= MOST_INTEGER_BITS
        return "int8_weights" if integer_weights and self.method != "static" else self.stored

    def covers(self, kind: str) -> bool:
        """Whether a TFLite operator of this kind can be computed so."""
        return kind not in self.lacking and (self.kinds is None or kind in self.kinds)


FLOAT32 = Precision("float32", "untouched", 32, onnx="as_is")
FLOAT16 = Precision("float16", "weights", 16, kinds=WITH_WEIGHTS, onnx="cast")
INT8 = Precision("int8", "static", 8, lacking=WITHOUT_INT8, onnx="qdq")
DYNAMIC = Precision("dynamic", "dynamic", 8, kinds=WITH_WEIGHTS)

PRECISIONS: Mapping[str, Precision] = {row.name: row for row in (INT8, DYNAMIC, FLOAT16, FLOAT32)}
