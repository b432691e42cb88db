"""Apply a recipe to a float TFLite file. The only module that touches the quantizer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import quantizer
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName

from convert.tflite.operators import operator_names
from model.foundation.errors import InputError
from model.runtime.flatbuffer import parse_model, read_model, text, write_model
from quantize.apply.cleanup import drop_identity_rescaling, keep_integer_outputs
from quantize.apply.pixel_input import take_bytes
from quantize.recipe import Recipe

_WEIGHTED = (TFLOperationName.CONV_2D, TFLOperationName.DEPTHWISE_CONV_2D, TFLOperationName.FULLY_CONNECTED)
FLOAT_ONLY = ("EMBEDDING_LOOKUP", "LEAKY_RELU", "FLOOR", "CAST")
"""Operators without an int8 form in the quantizer; they stay float whatever the recipe says."""


def layer_names(model: Any) -> list[str]:
    """The name of each operator's layer in execution order: that of its first output."""
    graph = model.subgraphs[0]
    return [text(graph.tensors[operator.outputs[0]].name) for operator in graph.operators]


def apply_recipe(
    recipe: Recipe, model: Path, bounds: dict[str, tuple[float, float]] | None, output: Path
) -> None:
    """Quantize a float TFLite file; the same inputs give the same bytes.

    Args:
        recipe: Precision of each layer.
        model: Float TFLite file with the project's layer names.
        bounds: Name of each activation -> (low, high); needed when the recipe has int8 layers.
        output: File to write. Its input takes uint8 pixels if its first layer is int8.

    Raises:
        InputError: the file is quantized already, a rule matches no layer, or an activation has no bounds.
    """
    parsed = read_model(model)
    if any(_is_quantized(tensor) for tensor in parsed.subgraphs[0].tensors):
        raise InputError(f"{model} is quantized already: apply recipes to the float32 file that convert made")
    layers = layer_names(parsed)
    recipe.check_layers(layers)
    tool = quantizer.Quantizer(str(model))
    tool.load_quantization_recipe([])
    _configure(tool, recipe, parsed, layers)
    qsv = None
    if recipe.is_static:
        qsv = _statistics(parsed, bounds or {})
    content = tool.quantize(qsv, enable_progress_bar=False, enable_progress_report=False).quantized_model
    if content is None:
        raise RuntimeError("the quantizer returned no model")
    result = parse_model(bytes(content))
    drop_identity_rescaling(result)
    keep_integer_outputs(result)
    entry = result.subgraphs[0].tensors[result.subgraphs[0].inputs[0]]
    if entry.type == schema.TensorType.INT8:
        take_bytes(result)
    write_model(result, output)


def _is_quantized(tensor: Any) -> bool:
    scales = None if tensor.quantization is None else tensor.quantization.scale
    return tensor.type == schema.TensorType.FLOAT16 or (scales is not None and len(scales) > 0)


def _configure(tool: Any, recipe: Recipe, model: Any, layers: Sequence[str]) -> None:
    """Translate the recipe layer by layer: the tool's own patterns match more than a name."""
    kinds = operator_names(model)
    chosen = [
        "float32" if kind in FLOAT_ONLY else recipe.precision_of(layer)
        for kind, layer in zip(kinds, layers, strict=True)
    ]
    if recipe.is_static:
        tool.add_static_config(".*", TFLOperationName.ALL_SUPPORTED, activation_num_bits=8, weight_num_bits=8)
        untouched = [layer for layer, precision in zip(layers, chosen, strict=True) if precision != "int8"]
        # The tool would give all outputs one treatment; each keeps the precision of its own layer.
        for operation, names in (
            (TFLOperationName.ALL_SUPPORTED, untouched),
            (TFLOperationName.OUTPUT, None),
        ):
            tool.update_quantization_recipe(
                regex=".*" if names is None else _exactly(names),
                operation_name=operation,
                algorithm_key=AlgorithmName.NO_QUANTIZE,
            )
    halves = [layer for layer, precision in zip(layers, chosen, strict=True) if precision == "float16"]
    for operation in _WEIGHTED:
        tool.add_weight_only_config(
            regex=_exactly(halves),
            operation_name=operation,
            num_bits=16,
            algorithm_key=AlgorithmName.FLOAT_CASTING,
        )


def _exactly(layers: Sequence[str]) -> str:
    """A pattern for these layers and no other; the tool puts a semicolon behind each name."""
    return f"^({'|'.join(re.escape(layer) for layer in layers)});$" if layers else "(?!)"


def _statistics(model: Any, bounds: dict[str, tuple[float, float]]) -> dict[str, dict[str, Any]]:
    """The quantizer's calibration result, made from given bounds."""
    graph = model.subgraphs[0]
    result: dict[str, dict[str, Any]] = {}
    computed = [*graph.inputs, *(index for operator in graph.operators for index in operator.outputs)]
    for tensor in (graph.tensors[index] for index in computed):
        if tensor.type != schema.TensorType.FLOAT32:
            continue
        name = text(tensor.name)
        if name not in bounds:
            raise InputError(f"no activation range for {name}; measure ranges on the file that is quantized")
        shape = (1,) * len(tensor.shape)
        low, high = (np.full(shape, value, np.float32) for value in bounds[name])
        result[name] = {"min": low, "max": high, "num_samples": np.asarray([1])}
    return result
