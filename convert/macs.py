"""Multiply-accumulates of one layer, for TFLite and ONNX alike."""

from __future__ import annotations

import math
from collections.abc import Sequence


def multiply_accumulates(elements: Sequence[int], weight: Sequence[int], channels: int) -> int:
    """How many products a layer sums for one image; element-wise work counts none.

    Args:
        elements: Shape of what is computed, or for a transposed convolution of what is read.
        weight: Shape of its weights. Each element takes those of its own channel once.
        channels: The axis of `weight` that tells the channels of `elements` apart.
    """
    of_a_channel = [side for axis, side in enumerate(weight) if axis != channels % len(weight)]
    return math.prod(elements) * math.prod(of_a_channel)
