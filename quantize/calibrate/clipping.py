"""From measured activation ranges to the bounds that the quantizer is given."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from convert.tflite.operators import operator_names
from model.runtime.flatbuffer import INPUT_NAME, read_model, text
from quantize.calibrate.activation_ranges import Ranges
from quantize.recipe import Estimator

Bounds = dict[str, tuple[float, float]]
"""Activation of the float file -> (low, high)."""

PIXELS = (0.0, 255.0)
LEAST_DIVISOR = 64
"""A mean's bounds move by 1 / LEAST_DIVISOR at most."""
SINGLE_PRECISION = 1e-6
"""Bounds that were moved, trained and kept in single precision are not moved again."""


def prepared(ranges: Ranges, estimator: Estimator, model: Path) -> Bounds:
    """Bounds by estimator, with pixels at 0..255, joined tensors on one scale and means off ties.

    The input's bounds are set, not measured, so that a pixel's byte is its quantized value.
    """
    bounds = {name: measured.bounds(estimator) for name, measured in ranges.items()}
    parsed = read_model(model)
    return without_ties(joined({**bounds, INPUT_NAME: PIXELS}, parsed), parsed)


def joined(bounds: Bounds, parsed: Any) -> Bounds:
    """Give tensors that do nothing but enter a concatenation its bounds: equal scales need no rescaling."""
    result = dict(bounds)
    graph = parsed.subgraphs[0]
    names = [text(tensor.name) for tensor in graph.tensors]
    kinds = operator_names(parsed)
    makers = {int(i): number for number, op in enumerate(graph.operators) for i in op.outputs}
    uses = np.bincount([i for op in graph.operators for i in op.inputs if i >= 0], minlength=len(names))
    for kind, operator in zip(kinds, graph.operators, strict=True):
        if kind != "CONCATENATION" or names[operator.outputs[0]] not in result:
            continue
        for entry in operator.inputs:
            index = int(entry)
            while uses[index] == 1 and index in makers:
                result[names[index]] = result[names[operator.outputs[0]]]
                maker = makers[index]
                if kinds[maker] != "RESHAPE":
                    break
                index = int(graph.operators[maker].inputs[0])
    return result


def without_ties(bounds: Bounds, parsed: Any) -> Bounds:
    """Move the bounds of means a little, so that every processor rounds them the same way.

    A mean of n integers is their sum divided by n * output scale / input scale. Where that divisor is an odd
    number over a power of two, no sum comes nearer to a half than 1 / (2 * odd number). Elsewhere sums fall
    within a millionth of a half, and XNNPACK rounds those otherwise on x86 than on ARM: one photograph in
    a few hundred had other bytes there. What is joined with a mean moves with it; bounds that several means
    share, or a mean and what it is computed from, stay as they are.
    """
    result = dict(bounds)
    graph = parsed.subgraphs[0]
    means = Counter(
        bounds.get(text(graph.tensors[int(operator.outputs[0])].name))
        for kind, operator in zip(operator_names(parsed), graph.operators, strict=True)
        if kind == "MEAN"
    )
    for kind, operator in zip(operator_names(parsed), graph.operators, strict=True):
        if kind != "MEAN":
            continue
        entry, out = (graph.tensors[int(i)] for i in (operator.inputs[0], operator.outputs[0]))
        before, bound = (result.get(text(tensor.name)) for tensor in (entry, out))
        if before is None or bound is None or before == bound or means[bound] > 1:
            continue
        divisor = float(math.prod(entry.shape) / math.prod(out.shape)) * _span(*bound) / _span(*before)
        while divisor < LEAST_DIVISOR:
            divisor *= 2
        odd = 2 * round((divisor - 1) / 2) + 1
        if abs(odd / divisor - 1) > SINGLE_PRECISION:
            moved = bound[0] * odd / divisor, bound[1] * odd / divisor
            result |= {name: moved for name, present in result.items() if present == bound}
    return result


def _span(low: float, high: float) -> float:
    """What the quantizer divides into 255 steps: zero is always inside."""
    return max(high, 0.0, 1e-9) - min(low, 0.0)
