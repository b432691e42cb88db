"""What is done to a file before and after the quantizer, in this order; a pass edits a ModelT in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model.geometry.spec import DetectorSpec
from quantize.apply.passes.byte_input import take_bytes
from quantize.apply.passes.identity_rescaling import drop_identity_rescaling
from quantize.apply.passes.integer_outputs import keep_integer_outputs
from quantize.apply.passes.pointwise_products import convolve_products
from quantize.apply.passes.read_logits import read_logits
from quantize.apply.passes.repeat_pixels import repeat_pixels
from quantize.apply.passes.row_pads import pad_rows
from quantize.apply.passes.separate_outputs import separate_outputs

FLOAT_PASSES: tuple[Callable[[Any, DetectorSpec], DetectorSpec], ...] = (separate_outputs, read_logits)
"""On the float file, for recipes with integer activations; they change no answer, and return its new spec."""

Pass = Callable[[Any], None]
PIXELS: dict[str, tuple[Pass, ...]] = {"uint8": (take_bytes,), "int8": ()}
"""What a recipe's `pixels` are -> how the quantizer's int8 input becomes one of them."""


def integer_passes(pixels: str) -> tuple[Pass, ...]:
    """On the file that the quantizer returns, for a recipe's `pixels`."""
    return (
        drop_identity_rescaling,
        keep_integer_outputs,
        *PIXELS[pixels],
        pad_rows,
        convolve_products,
        repeat_pixels,
    )
