"""From measured activation ranges to the bounds that the quantizer is given."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convert.tflite.graph import Graph, read_graph
from model.geometry.outputs import logit_names
from model.runtime.flatbuffer import INPUT_NAME, spec_inside
from quantize.calibrate.estimators import Range
from quantize.calibrate.ranges import Bounds, Ranges, bounds_by

PIXELS = (0.0, 255.0)
LARGEST_LOGIT = 8.0
"""Beyond it a sigmoid is within 4e-4 of 0 or 1, less than half a step of an int8 probability."""
SWISH_ENDS = np.arange(-16, -1.5, 1 / 64)
"""Where x * sigmoid(x) falls again, from 0 at far less to its minimum at -1.28."""
EXTREMES = "min_max"
"""The estimator of the least and the largest value seen."""
MOVING = ("CONCATENATION", "RESHAPE", "TRANSPOSE")
SILENT = 1e-6
"""A layer whose values span less says nothing: float32's own rounding of activations is coarser."""
LEAST_DIVISOR = 64
"""A mean's bounds move by 1 / LEAST_DIVISOR at most."""
SINGLE_PRECISION = 1e-6
"""Bounds that were moved, trained and kept in single precision are not moved again."""


def prepared(ranges: Ranges, estimator: str, model: Path) -> Bounds:
    """Bounds by estimator, with pixels at 0..255, joined tensors on one scale and means off ties.

    The input's bounds are set, not measured, so that a pixel's byte is its quantized value.
    """
    graph = read_graph(model)
    bounds = carried({**bounds_by(ranges, estimator), **dict.fromkeys(pixels(graph), PIXELS)}, graph)
    bounds = without_silence(bounds, graph)
    bounds = _swished(bounds, bounds_by(ranges, EXTREMES), graph)
    if (spec := spec_inside(model)) is not None:
        bounds = _readable(bounds, graph, logit_names(spec))
    return without_ties(joined(bounds, graph), graph)


def pixels(graph: Graph) -> set[str]:
    """Names of the input and of what only moves its pixels about or puts a border around them."""
    found = {INPUT_NAME}
    for operator in graph.operators:
        read = {graph.tensors[index].name for index in operator.reads if index in graph.computed}
        if operator.kind in MOVING and read and read <= found:
            found.add(operator.layer)
    return found


def _readable(bounds: Bounds, graph: Graph, logits: Sequence[str]) -> Bounds:
    """Bounds of logits that leave out what a sigmoid does not tell apart.

    A network is sure of most anchors: -900 is nothing rare, and with it in range two steps of 256 would
    have to tell a face from none.
    """
    result = dict(bounds)
    for index in graph.outputs:
        name = graph.tensors[index].name
        if name in logits and name in bounds:
            low, high = (min(max(end, -LARGEST_LOGIT), LARGEST_LOGIT) for end in bounds[name])
            # None below 0: measured on the probabilities that a pass made these logits of.
            measured = (low, high) if low < 0 else (-LARGEST_LOGIT, LARGEST_LOGIT)
            _carry_back(result, graph, index, measured)
    return result


def _swished(bounds: Bounds, extremes: Bounds, graph: Graph) -> Bounds:
    """Bounds of what nothing but x * sigmoid(x) reads, without the low values that it makes nothing of.

    Convolutions of YOLOv8 reach down to -40 and up to 20: two thirds of their integers meant 0. What the
    product rounds to 0 needs none. The high end is the extreme: an estimator clipped it because a step of the
    whole range costs more.
    """
    result = dict(bounds)
    for gate in graph.operators:
        entry = gate.inputs[0] if gate.kind == "LOGISTIC" else -1
        products = [
            one for one in graph.operators if one.kind == "MUL" and {*one.inputs} == {entry, *gate.outputs}
        ]
        if products and graph.uses[entry] == 2 and (name := graph.tensors[entry].name) in extremes:
            step = _span(*bounds[products[0].layer]) / 255
            result[name] = max(bounds[name][0], _nothing_below(step / 2)), extremes[name][1]
    return result


def _nothing_below(size: float) -> float:
    """The x, less than which x * sigmoid(x) is nearer to 0 than `size`."""
    return float(SWISH_ENDS[-SWISH_ENDS / (1 + np.exp(-SWISH_ENDS)) <= size].max(initial=SWISH_ENDS[0]))


def carried(bounds: Bounds, graph: Graph) -> Bounds:
    """Add the bounds of what was not measured but only moves what was: a pass before quantization made it."""
    result = dict(bounds)
    for operator in graph.operators:
        known = [result[name] for i in operator.reads if (name := graph.tensors[i].name) in result]
        if operator.layer not in result and operator.kind in MOVING and known:
            result[operator.layer] = min(low for low, _ in known), max(high for _, high in known)
    return result


def without_silence(bounds: Bounds, graph: Graph) -> Bounds:
    """Give a layer that was 0 on all images the size of what it reads.

    A scale of next to nothing would show none of what it says on other images, and runtimes refuse the file:
    XNNPACK takes a convolution only if its accumulator's scale is less than 256 times its output's.
    """
    result = dict(bounds)
    for operator in graph.operators:
        read = [_span(*result[name]) for i in operator.reads if (name := graph.tensors[i].name) in result]
        if read and operator.layer in result and _span(*result[operator.layer]) < SILENT:
            result[operator.layer] = 0.0, max(read)
    return result


def joined(bounds: Bounds, graph: Graph) -> Bounds:
    """Give tensors that do nothing but enter a concatenation its bounds: equal scales need no rescaling."""
    result = dict(bounds)
    for operator in graph.operators:
        if operator.kind == "CONCATENATION" and operator.layer in result:
            for index in operator.reads:
                if graph.uses[index] == 1:
                    _carry_back(result, graph, index, result[operator.layer])
    return result


def _carry_back(bounds: Bounds, graph: Graph, index: int, bound: Range) -> None:
    """Set the bounds of a computed tensor and of those that are only moved about to become it."""
    while (maker := graph.makers.get(index)) is not None:
        bounds[graph.tensors[index].name] = bound
        index = maker.inputs[0]
        if maker.kind not in ("RESHAPE", "TRANSPOSE") or graph.uses[index] > 1:
            break


def without_ties(bounds: Bounds, graph: Graph) -> Bounds:
    """Move the bounds of means a little, so that every processor rounds them the same way.

    A mean of n integers is their sum divided by n * output scale / input scale. Where that divisor is an odd
    number over a power of two, no sum comes nearer to a half than 1 / (2 * odd number). Elsewhere sums fall
    within a millionth of a half, and XNNPACK rounds those otherwise on x86 than on ARM: one photograph in
    a few hundred had other bytes there. What is joined with a mean moves with it; bounds that several means
    share, or a mean and what it is computed from, stay as they are.
    """
    result = dict(bounds)
    operators = [operator for operator in graph.operators if operator.kind == "MEAN"]
    means = Counter(bounds.get(operator.layer) for operator in operators)
    for operator in operators:
        entry, out = (graph.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
        before, bound = (result.get(tensor.name) for tensor in (entry, out))
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
