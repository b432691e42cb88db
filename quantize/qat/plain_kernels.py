"""Operators that only rearrange, compare or select values, and those that networks run in float alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from convert.tflite.graph import Operator
from quantize.qat.run import Kernel, Run


def _pad(run: Run, operator: Operator) -> None:
    pairs = run.numbers(operator.inputs[1])
    last_first = [pairs[2 * axis + side] for axis in range(len(pairs) // 2 - 1, -1, -1) for side in (0, 1)]
    run.values[operator.outputs[0]] = F.pad(run.value(operator.inputs[0]), last_first)


def _reshape(run: Run, operator: Operator) -> None:
    shape = run.tensor(operator.outputs[0]).shape
    value = run.value(operator.inputs[0])
    run.values[operator.outputs[0]] = value.reshape(run.batch * shape[0], *shape[1:])


def _concatenation(run: Run, operator: Operator) -> None:
    parts = [run.value(index) for index in operator.inputs]
    run.values[operator.outputs[0]] = torch.cat(parts, operator.options["axis"])


def _slice(run: Run, operator: Operator) -> None:
    value = run.value(operator.inputs[0])
    whole = run.tensor(operator.inputs[0]).shape
    begins, sizes = run.numbers(operator.inputs[1]), run.numbers(operator.inputs[2])
    for axis, (begin, size) in enumerate(zip(begins, sizes, strict=True)):
        if (begin, size) != (0, whole[axis]) and size != -1:
            value = value.narrow(axis, begin, size)
    run.values[operator.outputs[0]] = value


def _max_pool(run: Run, operator: Operator) -> None:
    options = operator.options
    kernel = options["filterHeight"], options["filterWidth"]
    strides = options["strideH"], options["strideW"]
    image = run.value(operator.inputs[0]).permute(0, 3, 1, 2)
    result = F.max_pool2d(image, kernel, strides).permute(0, 2, 3, 1)
    expected = run.tensor(operator.outputs[0]).shape[1:]
    if tuple(result.shape[1:]) != expected:
        raise NotImplementedError(f"MAX_POOL_2D with padding: {tuple(result.shape[1:])} is not {expected}")
    run.values[operator.outputs[0]] = result


def _resize_nearest(run: Run, operator: Operator) -> None:
    image = run.value(operator.inputs[0]).permute(0, 3, 1, 2)
    mode = "nearest-exact" if operator.options["halfPixelCenters"] else "nearest"
    result = F.interpolate(image, size=run.numbers(operator.inputs[1]), mode=mode)
    run.values[operator.outputs[0]] = result.permute(0, 2, 3, 1)


def _reduce_max(run: Run, operator: Operator) -> None:
    axes = tuple(run.numbers(operator.inputs[1]))
    value = run.value(operator.inputs[0])
    run.values[operator.outputs[0]] = value.amax(axes, keepdim=operator.options["keepDims"])


def _embedding_lookup(run: Run, operator: Operator) -> None:
    """Rows of a table; with several pictures each has its own part of the table."""
    numbers, table = (run.value(index) for index in operator.inputs)
    rows = table.shape[0] // run.batch
    offsets = torch.arange(run.batch, device=table.device)[:, None] * rows
    numbers = (numbers.reshape(run.batch, -1) + offsets).reshape(-1)
    run.values[operator.outputs[0]] = table.index_select(0, numbers)


def _cast(run: Run, operator: Operator) -> None:
    run.values[operator.outputs[0]] = run.value(operator.inputs[0]).long()


def _sum(run: Run, operator: Operator) -> None:
    axes = tuple(run.numbers(operator.inputs[1]))
    value = run.value(operator.inputs[0])
    run.values[operator.outputs[0]] = value.sum(axes, keepdim=operator.options["keepDims"])


def _leaky_relu(run: Run, operator: Operator) -> None:
    value = run.value(operator.inputs[0])
    run.values[operator.outputs[0]] = F.leaky_relu(value, operator.options["alpha"])


def _float_only(kernel: Kernel) -> Kernel:
    """A kernel that has no integer form here."""

    def run_it(run: Run, operator: Operator) -> None:
        if run.is_integer(operator.outputs[0]):
            raise NotImplementedError(f"{operator.kind} in int8: let the recipe leave it float")
        kernel(run, operator)

    return run_it


def _between(function: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    """A kernel of two operands of the same scale."""

    def run_it(run: Run, operator: Operator) -> None:
        a, b = (run.value(index) for index in operator.inputs)
        run.values[operator.outputs[0]] = function(a, b)

    return run_it


def _floor(run: Run, operator: Operator) -> None:
    run.values[operator.outputs[0]] = torch.floor(run.value(operator.inputs[0]))


PLAIN_KERNELS: dict[str, Kernel] = {
    "PAD": _pad,
    "RESHAPE": _reshape,
    "CONCATENATION": _concatenation,
    "SLICE": _slice,
    "MAX_POOL_2D": _max_pool,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "REDUCE_MAX": _reduce_max,
    "MAXIMUM": _between(torch.maximum),
    "MINIMUM": _between(torch.minimum),
    "EMBEDDING_LOOKUP": _float_only(_embedding_lookup),
    "CAST": _float_only(_cast),
    "SUM": _float_only(_sum),
    "LEAKY_RELU": _float_only(_leaky_relu),
    "FLOOR": _float_only(_floor),
}
