"""One function an operator: what the integer (or float) kernel computes, on tensors [B, H, W, C]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from convert.tflite.graph import Operator
from quantize.qat.integers import add, half_up, integer_weight, requantize, rounded
from quantize.qat.plain_kernels import PLAIN_KERNELS
from quantize.qat.run import NONE, RELU, Kernel, Run

SAME = 0
"""Value of the schema's Padding."""


def _activate(x: Tensor, activation: int) -> Tensor:
    if activation == NONE:
        return x
    return F.relu(x) if activation == RELU else x.clamp(0, 6)


def _weighted(apply: Callable[[Operator, Tensor, Tensor, Tensor | None], Tensor]) -> Kernel:
    """A kernel of a weight and a bias, from the function that multiplies and sums."""

    def run_it(run: Run, operator: Operator) -> None:
        entry, out = operator.inputs[0], operator.outputs[0]
        activation = operator.options["fusedActivationFunction"]
        bias_index = operator.inputs[2] if len(operator.inputs) > 2 else -1
        bias = run.value(bias_index) if bias_index >= 0 else None
        weight = run.value(operator.inputs[1])
        if not run.is_integer(out):
            run.values[out] = _activate(apply(operator, run.value(entry), weight, bias), activation)
            return
        if operator.kind == "DEPTHWISE_CONV_2D":
            integers, weight_scale = integer_weight(weight.permute(3, 0, 1, 2))
            integers = integers.permute(1, 2, 3, 0)
        else:
            integers, weight_scale = integer_weight(weight)
        in_scale, out_scale = run.scale(entry)[0], run.scale(out)[0]
        if bias is not None:
            bias = rounded(bias / (in_scale * weight_scale))
        total = apply(operator, run.value(entry), integers, bias)
        low, high = run.limits(out, activation)
        run.values[out] = requantize(total, in_scale * weight_scale / out_scale, low, high)

    return run_it


def _conv(operator: Operator, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    options = operator.options
    filters = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
    strides = options["strideH"], options["strideW"]
    dilations = options["dilationHFactor"], options["dilationWFactor"]
    if not depthwise and weight.shape[1:3] == strides == (1, 1):
        return F.linear(x, weight.flatten(1), bias)  # half the time of a convolution, there and back
    image = x.permute(0, 3, 1, 2)
    padding = (0, 0)
    if options["padding"] == SAME:
        sides = [
            _same_padding(size, kernel, stride, dilation)
            for size, kernel, stride, dilation in zip(
                image.shape[2:], filters.shape[2:], strides, dilations, strict=True
            )
        ]
        if all(before == after for before, after in sides):
            padding = sides[0][0], sides[1][0]
        else:
            image = F.pad(image, (*sides[1], *sides[0]))
    groups = x.shape[3] if depthwise else 1
    result = F.conv2d(image, filters, bias, strides, padding, dilations, groups)
    return result.permute(0, 2, 3, 1)


def _same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Rows before and after, as TFLite's SAME padding has them."""
    reach = (kernel - 1) * dilation + 1
    total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return total // 2, total - total // 2


def _linear(operator: Operator, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    result = F.linear(x, weight, bias)
    return result if operator.options["keepNumDims"] else result.reshape(-1, weight.shape[0])


def _sum_of_two(sign: int) -> Kernel:
    """Addition, or subtraction with a sign of -1."""

    def run_it(run: Run, operator: Operator) -> None:
        (a, b), out = operator.inputs, operator.outputs[0]
        activation = operator.options["fusedActivationFunction"]
        if not run.is_integer(out):
            run.values[out] = _activate(run.value(a) + sign * run.value(b), activation)
            return
        scale = run.scale(out)[0]
        ratios = run.scale(a)[0] / scale, run.scale(b)[0] / scale
        run.values[out] = add(run.value(a), sign * run.value(b), *ratios, *run.limits(out, activation))

    return run_it


def _mul(run: Run, operator: Operator) -> None:
    (a, b), out = operator.inputs, operator.outputs[0]
    activation = operator.options["fusedActivationFunction"]
    product = run.value(a) * run.value(b)
    if run.is_integer(out):
        multiplier = run.scale(a)[0] * run.scale(b)[0] / run.scale(out)[0]
        run.values[out] = requantize(product, multiplier, *run.limits(out, activation))
    else:
        run.values[out] = _activate(product, activation)


def _mean(run: Run, operator: Operator) -> None:
    entry, out = operator.inputs[0], operator.outputs[0]
    axes = tuple(run.numbers(operator.inputs[1]))
    value = run.value(entry)
    if not run.is_integer(out):
        run.values[out] = value.mean(axes, keepdim=operator.options["keepDims"])
        return
    total = value.sum(axes, keepdim=operator.options["keepDims"])
    count = int(np.prod([value.shape[axis] for axis in axes]))
    multiplier = run.scale(entry)[0] / (run.scale(out)[0] * count)
    run.values[out] = requantize(total, multiplier, *run.limits(out))


def _resize_bilinear(run: Run, operator: Operator) -> None:
    entry, out = operator.inputs[0], operator.outputs[0]
    image = run.value(entry).permute(0, 3, 1, 2)
    result = F.interpolate(
        image,
        size=run.numbers(operator.inputs[1]),
        mode="bilinear",
        align_corners=operator.options["alignCorners"],
    ).permute(0, 2, 3, 1)
    run.values[out] = half_up(result) if run.is_integer(out) else result


def _logistic(run: Run, operator: Operator) -> None:
    entry, out = operator.inputs[0], operator.outputs[0]
    real = run.real(entry)
    if out == run.probability:
        run.logits = real
    result = torch.sigmoid(real)
    if run.is_integer(out):
        low, high = run.limits(out)
        result = rounded(result / run.scale(out)[0], low, high)
    run.values[out] = result


def _softmax(run: Run, operator: Operator) -> None:
    if run.is_integer(operator.outputs[0]):
        raise NotImplementedError("SOFTMAX in int8: let the recipe leave it float")
    value = run.value(operator.inputs[0])
    if operator.outputs[0] == run.probability:
        run.logits = value
    run.values[operator.outputs[0]] = torch.softmax(value * operator.options["beta"], -1)


def _quantize(run: Run, operator: Operator) -> None:
    """From pixels, from another scale, or from real numbers."""
    entry, out = operator.inputs[0], operator.outputs[0]
    value, (scale, _), limits = run.value(entry), run.scale(out), run.limits(out)
    if run.tensor(entry).dtype == np.uint8:
        run.values[out] = value
    elif run.is_integer(entry):
        run.values[out] = requantize(value, run.scale(entry)[0] / scale, *limits)
    else:
        run.values[out] = requantize(value, 1 / scale, *limits)


def _dequantize(run: Run, operator: Operator) -> None:
    entry, out = operator.inputs[0], operator.outputs[0]
    if run.tensor(entry).dtype == np.float16:
        weight = run.value(entry).float()
        run.values[out] = weight + (weight.half().float() - weight).detach()
    else:
        run.values[out] = run.real(entry)


KERNELS: dict[str, Kernel] = {
    **PLAIN_KERNELS,
    "CONV_2D": _weighted(_conv),
    "DEPTHWISE_CONV_2D": _weighted(_conv),
    "FULLY_CONNECTED": _weighted(_linear),
    "ADD": _sum_of_two(1),
    "SUB": _sum_of_two(-1),
    "MUL": _mul,
    "MEAN": _mean,
    "RESIZE_BILINEAR": _resize_bilinear,
    "LOGISTIC": _logistic,
    "SOFTMAX": _softmax,
    "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize,
}
"""Every operator that a mirror can run."""


def unknown(kinds: Sequence[str]) -> list[str]:
    """Operators that a mirror cannot run."""
    return sorted(set(kinds) - set(KERNELS))
