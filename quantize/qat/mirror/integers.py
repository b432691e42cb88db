"""The integer kernels' arithmetic on whole numbers in float32, with straight-through gradients.

An activation is kept as its integer less its zero point, so that 0 is 0 and padding needs no constant.
Sums of products stay below 2^24, which float32 holds exactly: the forward pass is the kernel's, bit by bit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

RESIZE_HALF = 0.5
ADD_BITS = 20
"""XNNPACK's addition works with multipliers of 21 bits. Source: XNNPACK, xnn_init_qs8_add_minmax_params."""


class Requantize(torch.autograd.Function):
    """round(sum * multiplier), to nearest and ties to even, clamped.

    The gradient is that of sum * multiplier where nothing was clamped, and 0 elsewhere: to the sum and,
    if it asks for one, to the multiplier (whose last dimension is the channel, or which is a scalar).

    Source: XNNPACK, qs8 requantization "fp32"; Bengio et al., 2013 (straight-through estimator).
    """

    @staticmethod
    def forward(ctx: Any, total: Tensor, multiplier: Tensor, low: float, high: float) -> Tensor:
        exact = total * multiplier
        ctx.save_for_backward(total, multiplier, (exact < low - 0.5) | (exact > high + 0.5))
        return exact.round_().clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        total, multiplier, outside = ctx.saved_tensors
        passed = gradients[0].masked_fill(outside, 0)
        to_multiplier = None
        if ctx.needs_input_grad[1]:
            product = passed * total
            to_multiplier = product.sum() if multiplier.ndim == 0 else product.flatten(0, -2).sum(0)
        return passed * multiplier, to_multiplier, None, None


class Rounded(torch.autograd.Function):
    """round(x) to nearest, ties to even, clamped; the gradient passes where nothing was clamped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward((x < low - 0.5) | (x > high + 0.5))
        return x.round().clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0].masked_fill(ctx.saved_tensors[0], 0), None, None


def requantize(total: Tensor, multiplier: Tensor, low: float, high: float) -> Tensor:
    """See `Requantize`; [..., C] with a multiplier of [C] or []."""
    result: Tensor = Requantize.apply(total, multiplier, low, high)  # type: ignore[no-untyped-call]
    return result


def rounded(x: Tensor, low: float = -(2.0**31), high: float = 2.0**31) -> Tensor:
    """See `Rounded`."""
    result: Tensor = Rounded.apply(x, low, high)  # type: ignore[no-untyped-call]
    return result


def integer_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A float weight as integers -127..127, and the scale of each channel of its first dimension.

    Source: ai-edge-quantizer, uniform_quantize_tensor: symmetric, channelwise, narrow range.
    """
    with torch.no_grad():
        scale = weight.abs().flatten(1).amax(1).clamp(min=1e-9) / 127
    shape = (-1, *[1] * (weight.ndim - 1))
    return rounded(weight / scale.reshape(shape), -127, 127), scale


def add(a: Tensor, b: Tensor, a_ratio: Tensor, b_ratio: Tensor, low: float, high: float) -> Tensor:
    """a * a_ratio + b * b_ratio as XNNPACK adds: fixed point, rounded half up.

    Args:
        a, b: Whole numbers, broadcast against one another.
        a_ratio, b_ratio: Scale of the operand / scale of the sum.
        low, high: Limits of the sum.
    """
    wanted = a * a_ratio + b * b_ratio
    with torch.no_grad():
        largest = max(abs(float(a_ratio)), abs(float(b_ratio)))
        shift = ADD_BITS - int(torch.frexp(torch.tensor(largest))[1] - 1)
        factors = [int(torch.tensor(float(ratio) * 2.0**shift).round()) for ratio in (a_ratio, b_ratio)]
        total = a.int() * factors[0] + b.int() * factors[1] + (1 << (shift - 1))
        exact = (total >> shift).float().clamp_(low, high)
        inside = (wanted > low - 0.5) & (wanted < high + 0.5)
    through = wanted * inside
    return through + (exact - through).detach()


def half_up(x: Tensor) -> Tensor:
    """floor(x + 1/2), as the bilinear kernel rounds; the gradient passes."""
    return x + (torch.floor(x + RESIZE_HALF) - x).detach()
