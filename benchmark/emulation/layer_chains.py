"""The layers that the table of costs rests on, as chains: each layer reads what the one before it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.emulation.layer_files import Shape, Step


@dataclass(frozen=True)
class Chain:
    """Layers behind one another, counted together, a file for each type of the input."""

    shape: Shape
    steps: Sequence[Step]
    types: tuple[str, ...] = ("float32", "int8")


def _pointwise(*sizes: int, aside: bool = False) -> list[Step]:
    return [Step("CONV_2D", size, aside=aside) for size in sizes]


def _with_depthwise(sizes: Sequence[int], kernels: Sequence[int]) -> list[Step]:
    return [
        step
        for size in sizes
        for step in (Step("CONV_2D", size), *(Step("DEPTHWISE_CONV_2D", kernel=k) for k in kernels))
    ]


SLOW = (
    Step("RESIZE_NEAREST_NEIGHBOR"), Step("AVERAGE_POOL_2D", 0, 2, 1), Step("HARD_SWISH"),
    Step("RESHAPE", 2), Step("SOFTMAX"),
)  # fmt: skip
"""The runtime itself computes some of these in int8. They stand apart: a profile adds up
layers of the same number in several stretches that XNNPACK runs."""

CHAINS: Mapping[str, Chain] = {
    "products": Chain(
        (1, 20, 20, 16),
        [
            *_with_depthwise((24, 32, 12, 64, 8, 48, 20, 96, 28, 36, 40, 56, 42, 80, 128, 256, 64), (3,)),
            *_pointwise(1, 2, 4, 6, 8, 10, 12, 16, 20, aside=True),
            *_with_depthwise((16, 24, 8, 28, 36, 48, 64), (5,)),
            Step("RESIZE_BILINEAR"), *_pointwise(64, 16, 16), Step("RESIZE_BILINEAR"),
            *_pointwise(16, 8), Step("DEPTHWISE_CONV_2D", kernel=3), *_pointwise(16),
            Step("DEPTHWISE_CONV_2D", kernel=3, stride=2),
        ],
    ),
    "dense": Chain(
        (1, 80, 80, 3),
        [
            *(Step("CONV_2D", size, 3, 2, aside=True) for size in (8, 16, 24)),
            *(Step("CONV_2D", size, 5, 2, aside=True) for size in (24, 32)),
            Step("CONV_2D", 4, 3, 2), Step("CONV_2D", 8, 3, 2, aside=True),
            Step("CONV_2D", 8, 3), Step("CONV_2D", 16, 3), Step("CONV_2D", 16, 3),
            Step("CONV_2D", 32, 3, 2), Step("CONV_2D", 12, 3), Step("CONV_2D", 64, 3),
            Step("CONV_2D", 64, 3, 2),
            Step("CONV_2D", 48, 3),
            *(Step("CONV_2D", size, 3, aside=True) for size in (2, 6, 10, 20, 8)),
            Step("CONV_2D", 24, 1, 2), Step("CONV_2D", 64, 3),
        ],
    ),
    "others": Chain(
        (1, 40, 40, 16),
        [
            Step("ADD"), Step("MUL", 4), Step("ADD", 1), Step("MUL", 1), Step("MUL", 2),
            Step("MAX_POOL_2D", 0, 2, 2), Step("MAX_POOL_2D", 0, 3, 1), Step("RESIZE_BILINEAR"),
            Step("LEAKY_RELU"), Step("CONCATENATION"), Step("ADD"), Step("ADD", 1), Step("MUL", 1),
            Step("MUL", 2), Step("MUL", 4),
            Step("MAX_POOL_2D", 0, 2, 2), Step("CONCATENATION"), Step("RESIZE_BILINEAR"),
            Step("MAX_POOL_2D", 0, 2, 2),
            Step("MAX_POOL_2D", 0, 3, 1), Step("PAD"), Step("MAX_POOL_2D", 0, 3, 1),
            Step("PAD", 16, aside=True),
            Step("MEAN", aside=True), Step("LOGISTIC"),
            Step("RESHAPE"), Step("PAD"), Step("RESHAPE", 2), Step("CONCATENATION", 1),
            Step("RESHAPE", 4), Step("MUL", 1), Step("ADD"),
        ],
    ),
    "pixels": Chain((1, 64, 64, 3), [Step("SUB", 1, aside=True), Step("SUB", 3), Step("PAD")]),
    "slow": Chain((1, 20, 20, 16), SLOW),
    "slow_wide": Chain((1, 20, 20, 32), SLOW),
    "conversions": Chain(
        (1, 40, 40, 16),
        [
            Step("ADD"), Step("QUANTIZE"), Step("ADD"), Step("DEQUANTIZE"), Step("ADD"),
            Step("CONCATENATION"),
            Step("QUANTIZE"), Step("ADD"), Step("DEQUANTIZE"), Step("ADD"),
        ],
        ("float32",),
    ),
    "reductions": Chain((1, 20, 20, 32), [Step("MEAN", 3, aside=True), Step("ADD")]),
    "floats": Chain(
        (1, 20, 20, 32),
        [
            Step("FLOOR"), Step("MAXIMUM", 3), Step("SLICE", 9),
            Step("REDUCE_MAX", aside=True), Step("REDUCE_MAX", 3, aside=True), Step("ADD"),
        ],
        ("float32",),
    ),
    "rows": Chain((400, 16), [Step("EMBEDDING_LOOKUP")], ("float32",)),
    "rows_wide": Chain((400, 32), [Step("EMBEDDING_LOOKUP")], ("float32",)),
    "sums": Chain((400, 36, 16), [Step("SUM", 1)], ("float32",)),
    "pads": Chain((1, 24, 24, 24), [Step("PAD", 4), Step("PAD", 14), Step("PAD", 38)]),
    "bytes": Chain((1, 40, 40, 16), [Step("QUANTIZE"), Step("ADD")], ("uint8",)),
}  # fmt: skip
"""Together every kernel, each remainder of its tiles, each way to broadcast."""
