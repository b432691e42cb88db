"""One function an operator: what the integer (or float) kernel computes, on tensors [B, H, W, C]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from convert.tflite.graph import Operator
from quantize.qat.mirror.integers import add, half_up, integer_weight, requantize, rounded
from quantize.qat.mirror.run import NONE, RELU, Kernel, Run

SAME = 0
"""Value of the schema's Padding."""


def _activate(x: Tensor, activation: int) -> Tensor:
    if activation == NONE:
        return x
    return F.relu(x) if activation == RELU else x.clamp(0, 6)


def _weighted(apply: Callable[[Operator, Tensor, Tensor, Tensor | None], Tensor]) -> Kernel:
    """A kernel of a weight and a bias, from the function that multiplies and sums."""

    def kernel(run: Run, operator: Operator) -> Tensor:
        entry, out = operator.inputs[0], operator.outputs[0]
        activation = operator.options["fusedActivationFunction"]
        bias_index = operator.inputs[2] if len(operator.inputs) > 2 else -1
        bias = run.value(bias_index) if bias_index >= 0 else None
        weight = run.value(operator.inputs[1])
        if not run.is_integer(out):
            return _activate(apply(operator, run.value(entry), weight, bias), activation)
        if operator.kind == "DEPTHWISE_CONV_2D":
            integers, weight_scale = integer_weight(weight.permute(3, 0, 1, 2))
            integers = integers.permute(1, 2, 3, 0)
        else:
            integers, weight_scale = integer_weight(weight)
        in_scale, out_scale = run.scale(entry)[0], run.scale(out)[0]
        if bias is not None:
            bias = rounded(bias / (in_scale * weight_scale))
        total = apply(operator, run.value(entry), integers, bias)
        return requantize(total, in_scale * weight_scale / out_scale, *run.limits(out, activation))

    return kernel


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

    def kernel(run: Run, operator: Operator) -> Tensor:
        (a, b), out = operator.inputs, operator.outputs[0]
        activation = operator.options["fusedActivationFunction"]
        if not run.is_integer(out):
            return _activate(run.value(a) + sign * run.value(b), activation)
        scale = run.scale(out)[0]
        ratios = run.scale(a)[0] / scale, run.scale(b)[0] / scale
        return add(run.value(a), sign * run.value(b), *ratios, *run.limits(out, activation))

    return kernel


def _mul(run: Run, operator: Operator) -> Tensor:
    (a, b), out = operator.inputs, operator.outputs[0]
    activation = operator.options["fusedActivationFunction"]
    product = run.value(a) * run.value(b)
    if not run.is_integer(out):
        return _activate(product, activation)
    multiplier = run.scale(a)[0] * run.scale(b)[0] / run.scale(out)[0]
    return requantize(product, multiplier, *run.limits(out, activation))


def _mean(run: Run, operator: Operator) -> Tensor:
    entry, out = operator.inputs[0], operator.outputs[0]
    axes, keep = tuple(run.numbers(operator.inputs[1])), operator.options["keepDims"]
    value = run.value(entry)
    if not run.is_integer(out):
        return value.mean(axes, keepdim=keep)
    count = int(np.prod([value.shape[axis] for axis in axes]))
    multiplier = run.scale(entry)[0] / (run.scale(out)[0] * count)
    return requantize(value.sum(axes, keepdim=keep), multiplier, *run.limits(out))


def _resize_bilinear(run: Run, operator: Operator) -> Tensor:
    result = F.interpolate(
        run.value(operator.inputs[0]).permute(0, 3, 1, 2),
        size=run.numbers(operator.inputs[1]),
        mode="bilinear",
        align_corners=operator.options["alignCorners"],
    ).permute(0, 2, 3, 1)
    return half_up(result) if run.is_integer(operator.outputs[0]) else result


def _logistic(run: Run, operator: Operator) -> Tensor:
    out, result = operator.outputs[0], torch.sigmoid(run.real(operator.inputs[0]))
    return rounded(result / run.scale(out)[0], *run.limits(out)) if run.is_integer(out) else result


def _softmax(run: Run, operator: Operator) -> Tensor:
    """In int8 as the runtime's kernel: exponentials below the row's largest, summed in single precision.

    Source: TensorFlow Lite, optimized_ops::Softmax of 8 bits (on ARM its 16-bit table may round otherwise).
    """
    entry, out = operator.inputs[0], operator.outputs[0]
    real = run.real(entry) * operator.options["beta"]
    if not run.is_integer(out):
        return torch.softmax(real, -1)
    exponentials = torch.exp(real - real.amax(-1, keepdim=True).detach())
    share = exponentials * (1 / (exponentials.sum(-1, keepdim=True) * run.scale(out)[0]))
    return rounded(share, *run.limits(out))


def logits(run: Run, operator: Operator) -> Tensor:
    """Of what a LOGISTIC or SOFTMAX computes: logarithms of each probability over all others."""
    real = run.real(operator.inputs[0])
    if operator.kind == "LOGISTIC":
        return real
    each = (real * operator.options["beta"]).unbind(-1)
    others = [torch.stack([*each[:place], *each[place + 1 :]]) for place in range(len(each))]
    return torch.stack([one - rest.logsumexp(0) for one, rest in zip(each, others, strict=True)], -1)


def _quantize(run: Run, operator: Operator) -> Tensor:
    """From pixels, from another scale, or from real numbers."""
    entry, out = operator.inputs[0], operator.outputs[0]
    value, scale = run.value(entry), run.scale(out)[0]
    if run.tensor(entry).dtype == np.uint8:
        return value
    multiplier = run.scale(entry)[0] / scale if run.is_integer(entry) else 1 / scale
    return requantize(value, multiplier, *run.limits(out))


def _dequantize(run: Run, operator: Operator) -> Tensor:
    entry = operator.inputs[0]
    if run.tensor(entry).dtype == np.float16:
        weight = run.value(entry).float()
        return weight + (weight.half().float() - weight).detach()
    return run.real(entry)


def _pad(run: Run, operator: Operator) -> Tensor:
    pairs = run.numbers(operator.inputs[1])
    last_first = [pairs[2 * axis + side] for axis in range(len(pairs) // 2 - 1, -1, -1) for side in (0, 1)]
    return F.pad(run.value(operator.inputs[0]), last_first)


def _reshape(run: Run, operator: Operator) -> Tensor:
    shape = run.tensor(operator.outputs[0]).shape
    return run.value(operator.inputs[0]).reshape(run.batch * shape[0], *shape[1:])


def _transpose(run: Run, operator: Operator) -> Tensor:
    return run.value(operator.inputs[0]).permute(run.numbers(operator.inputs[1]))


def _concatenation(run: Run, operator: Operator) -> Tensor:
    """A constant, made for one picture, stands beside each of them."""
    values = {index: run.value(index) for index in operator.inputs}
    parts = [one.expand(run.batch, *one.shape[1:]) if index in run.constants else one
             for index, one in values.items()]  # fmt: skip
    return torch.cat(parts, operator.options["axis"])


def _slice(run: Run, operator: Operator) -> Tensor:
    value = run.value(operator.inputs[0])
    whole = run.tensor(operator.inputs[0]).shape
    begins, sizes = run.numbers(operator.inputs[1]), run.numbers(operator.inputs[2])
    for axis, (begin, size) in enumerate(zip(begins, sizes, strict=True)):
        if (begin, size) != (0, whole[axis]) and size != -1:
            value = value.narrow(axis, begin, size)
    return value


def _max_pool(run: Run, operator: Operator) -> Tensor:
    options = operator.options
    kernel = options["filterHeight"], options["filterWidth"]
    strides = options["strideH"], options["strideW"]
    image = run.value(operator.inputs[0]).permute(0, 3, 1, 2)
    if options["padding"] == SAME:
        rows, columns = (
            _same_padding(*each, 1) for each in zip(image.shape[2:], kernel, strides, strict=True)
        )
        image = F.pad(image, (*columns, *rows), value=-torch.inf)  # never the largest
    return F.max_pool2d(image, kernel, strides).permute(0, 2, 3, 1)


def _resize_nearest(run: Run, operator: Operator) -> Tensor:
    image = run.value(operator.inputs[0]).permute(0, 3, 1, 2)
    mode = "nearest-exact" if operator.options["halfPixelCenters"] else "nearest"
    return F.interpolate(image, size=run.numbers(operator.inputs[1]), mode=mode).permute(0, 2, 3, 1)


def _reduce_max(run: Run, operator: Operator) -> Tensor:
    axes = tuple(run.numbers(operator.inputs[1]))
    return run.value(operator.inputs[0]).amax(axes, keepdim=operator.options["keepDims"])


def _sum(run: Run, operator: Operator) -> Tensor:
    axes = tuple(run.numbers(operator.inputs[1]))
    return run.value(operator.inputs[0]).sum(axes, keepdim=operator.options["keepDims"])


def _embedding_lookup(run: Run, operator: Operator) -> Tensor:
    """Rows of a table; with several pictures each has its own part of the table."""
    numbers, table = (run.value(index) for index in operator.inputs)
    rows = table.shape[0] // run.batch
    offsets = torch.arange(run.batch, device=table.device)[:, None] * rows
    numbers = (numbers.reshape(run.batch, -1) + offsets).reshape(-1)
    return table.index_select(0, numbers)


def _each(function: Callable[..., Tensor]) -> Kernel:
    """A kernel of values alone, all of one scale."""

    def kernel(run: Run, operator: Operator) -> Tensor:
        return function(*(run.value(index) for index in operator.inputs))

    return kernel


def _leaky_relu(run: Run, operator: Operator) -> Tensor:
    return F.leaky_relu(run.value(operator.inputs[0]), operator.options["alpha"])


def _float_only(float_kernel: Kernel) -> Kernel:
    """A kernel that has no integer form here."""

    def kernel(run: Run, operator: Operator) -> Tensor:
        if run.is_integer(operator.outputs[0]):
            raise NotImplementedError(f"{operator.kind} in int8: let the recipe leave it float")
        return float_kernel(run, operator)

    return kernel


KERNELS: dict[str, Kernel] = {
    "CONV_2D": _weighted(_conv),
    "DEPTHWISE_CONV_2D": _weighted(_conv),
    "FULLY_CONNECTED": _weighted(_linear),
    "ADD": _sum_of_two(1),
    "SUB": _sum_of_two(-1),
    "MUL": _mul,
    "MEAN": _mean,
    "RESIZE_BILINEAR": _resize_bilinear,
    "LOGISTIC": _logistic,
    "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concatenation,
    "SLICE": _slice,
    "MAX_POOL_2D": _max_pool,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "REDUCE_MAX": _reduce_max,
    "MAXIMUM": _each(torch.maximum),
    "MINIMUM": _each(torch.minimum),
    "SOFTMAX": _softmax,
    "EMBEDDING_LOOKUP": _float_only(_embedding_lookup),
    "CAST": _float_only(_each(Tensor.long)),
    "SUM": _float_only(_sum),
    "LEAKY_RELU": _float_only(_leaky_relu),
    "FLOOR": _float_only(_each(torch.floor)),
}
"""Every operator that a mirror can run."""
PROBABILITIES = ("LOGISTIC", "SOFTMAX")
"""Operators that make probabilities of logits."""
MOVING = ("RESHAPE", "CONCATENATION", "SLICE", "TRANSPOSE")
"""Operators that move values about and compute nothing."""


def unknown(kinds: Sequence[str]) -> list[str]:
    """Operators that a mirror cannot run."""
    return sorted(set(kinds) - set(KERNELS))
