"""Apply a recipe to an ONNX network. The only module that touches NNCF."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from convert.onnx_file.graph import OnnxGraph
from model.foundation.errors import InputError
from quantize.calibrate.estimators import ESTIMATORS
from quantize.precision import FLOAT16, FLOAT32, INT8, Precision
from quantize.recipe import Recipe

_NUMBER = re.compile(r":\d+$")
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_MOVING = ("Reshape", "Transpose", "Concat", "Squeeze", "Unsqueeze", "Flatten", "MaxPool", "Slice", "Split")
"""Operators that hand integers on as they are: ONNX Runtime moves a DequantizeLinear before them behind."""
_NUMBERED = 64
"""A recipe may name tensors of the TFLite file by number ("heads:4"), which an ONNX file numbers otherwise:
such a pattern is no mistake, but says nothing here."""
_OUTSIDE = 5e-5
"""Share of values that the percentile estimator leaves outside at each end, as for TFLite."""


def layer_precisions(recipe: Recipe, model: Any) -> dict[str, Precision]:
    """The precision of every node by its name: that of its layer.

    Raises:
        InputError: a rule matches no layer, or asks for what ONNX files cannot hold.
    """
    layers = {node.name: _NUMBER.sub("", node.name) for node in model.graph.node if node.name}
    known = list(dict.fromkeys(layers.values()))
    numbered = [f"{name}:{number}" for name in known for number in range(1, _NUMBERED)]
    try:
        recipe.check_layers([*known, *numbered])
    except InputError:
        recipe.check_layers(known)  # says so, and names layers that exist
    precisions = {node: recipe.precision_of(layer) for node, layer in layers.items()}
    if missing := sorted({one.name for one in precisions.values() if one.onnx is None}):
        raise InputError(f"recipe {recipe.name}: ONNX Runtime has no kernels for {', '.join(missing)} layers")
    return precisions


def quantize_onnx(recipe: Recipe, model: Any, inputs: Sequence[NDArray[np.float32]]) -> Any:
    """Quantize a float32 model; the given one stays as it is.

    int8 layers get integer weights, a scale for each output channel, and quantized inputs (QDQ format:
    QuantizeLinear and DequantizeLinear around float operators, which ONNX Runtime fuses into integer
    kernels). float16 layers keep float32 arithmetic on weights stored as float16.

    Args:
        recipe: Precision of each layer.
        model: ModelProto whose nodes bear layer names.
        inputs: float32 [1, 3, H, W] each, RGB in 0..255, to calibrate on; none for a recipe without int8.

    Raises:
        InputError: a rule matches no layer, there is nothing to calibrate on, or NNCF has no such estimator.
    """
    precisions = layer_precisions(recipe, model)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if recipe.is_static:
        if not inputs:
            raise InputError(f"recipe {recipe.name} has int8 layers: give images to calibrate on")
        kept = [name for name, precision in precisions.items() if precision.onnx != "qdq"]
        result = _with_nncf(result, inputs, kept, recipe.estimator)
    store_halves(result, {name for name, precision in precisions.items() if precision.onnx == "cast"})
    known = {one.key for one in result.metadata_props}
    result.metadata_props.extend(one for one in model.metadata_props if one.key not in known)
    return result


def _with_nncf(model: Any, inputs: Sequence[NDArray[np.float32]], ignored: list[str], estimator: str) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # it would report its use to its makers
    logging.getLogger("nncf").setLevel(logging.ERROR)
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, QuantizationParameters

    ranges = _range_estimator(estimator)
    entry = model.graph.input[0].name
    return nncf.quantize(
        model,
        nncf.Dataset(list(inputs), lambda image: {entry: image}),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(names=ignored),
        advanced_parameters=AdvancedQuantizationParameters(
            activations_range_estimator_params=ranges,
            # NNCF would give what depthwise convolutions read a scale for each channel, which is several
            # decibels better and no integer kernel of ONNX Runtime takes: such layers would run in float.
            activations_quantization_params=QuantizationParameters(per_channel=False),
        ),
    )


def _range_estimator(estimator: str) -> Any:
    from nncf.quantization.range_estimator import (
        AggregatorType,
        RangeEstimatorParameters,
        RangeEstimatorParametersSet,
        StatisticsCollectorParameters,
        StatisticsType,
    )

    statistics = ESTIMATORS[estimator].nncf
    if statistics is None:
        known = ", ".join(name for name, one in ESTIMATORS.items() if one.nncf is not None)
        raise InputError(f"NNCF has no estimator {estimator!r}: for ONNX a recipe may have {known}")
    if statistics == "QUANTILE":
        low, high = (
            StatisticsCollectorParameters(
                statistics_type=StatisticsType.QUANTILE,
                aggregator_type=AggregatorType.MEAN,
                quantile_outlier_prob=_OUTSIDE,
            )
            for _ in range(2)
        )
        return RangeEstimatorParameters(min=low, max=high)
    return getattr(RangeEstimatorParametersSet, statistics)


def store_halves(model: Any, nodes: set[str]) -> int:
    """Store the weights of some nodes as float16, with a Cast to float32 behind each.

    Returns:
        How many weights were stored so.
    """
    graph = model.graph
    weights = {one.name: one for one in graph.initializer}
    chosen = {
        node.input[1]
        for node in graph.node
        if node.name in nodes and node.op_type in _WEIGHTED and node.input[1] in weights
    }
    casts = []
    for name in sorted(chosen):
        values = numpy_helper.to_array(weights[name])
        if values.dtype != np.float32:
            continue
        half = f"{name}/float16"
        weights[name].CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [name], name=f"{name}/cast", to=TensorProto.FLOAT))
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *rest])
    return len(casts)


def weight_census(model: Any) -> dict[str, int]:
    """How many multiply-accumulates of one image are computed on weights of each kind.

    Returns:
        "int8" (integer weights, one scale for what is read), "float16", "float32" -> multiply-accumulates.
    """
    graph = OnnxGraph.of(model)
    found: Counter[str] = Counter({row.name: 0 for row in (INT8, FLOAT16, FLOAT32)})
    for node in graph.nodes:
        if node.op_type in _WEIGHTED and not graph.is_computed(node.input[1]):
            scales = {_scale(graph, one) for one, _ in graph.sources(node.input[0], _MOVING)}
            maker = graph.maker(node.input[1])
            weights = None if maker is None else maker.op_type
            integer = len(scales) == 1 and None not in scales and weights == "DequantizeLinear"
            row = INT8 if integer else FLOAT16 if weights == "Cast" else FLOAT32
            found[row.name] += graph.macs(node)
    return dict(found)


def _scale(graph: OnnxGraph, node: Any) -> float | None:
    """The one scale of a DequantizeLinear; parts that are joined must have the same to stay integers."""
    scale = graph.constant(node.input[1]) if node.op_type == "DequantizeLinear" else None
    return float(scale.reshape(-1)[0]) if scale is not None and scale.size == 1 else None
