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

from convert.tflite.graph import Graph, read_graph
from model.foundation.errors import InputError
from model.runtime.flatbuffer import parse_model, write_model
from quantize.apply.cleanup import drop_identity_rescaling, keep_integer_outputs
from quantize.apply.pixel_input import take_bytes
from quantize.recipe import Recipe

_WEIGHTED = (TFLOperationName.CONV_2D, TFLOperationName.DEPTHWISE_CONV_2D, TFLOperationName.FULLY_CONNECTED)
FLOAT_ONLY = ("EMBEDDING_LOOKUP", "LEAKY_RELU", "FLOOR", "CAST")
"""Operators without an int8 form in the quantizer; they stay float whatever the recipe says."""


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
    graph = read_graph(model)
    if any(tensor.type == "float16" or tensor.scales is not None for tensor in graph.tensors):
        raise InputError(f"{model} is quantized already: apply recipes to the float32 file that convert made")
    recipe.check_layers(graph.layers)
    tool = quantizer.Quantizer(str(model))
    tool.load_quantization_recipe([])
    _configure(tool, recipe, graph)
    qsv = None
    if recipe.is_static:
        qsv = _statistics(graph, bounds or {})
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


def _configure(tool: Any, recipe: Recipe, graph: Graph) -> None:
    """Translate the recipe layer by layer: the tool's own patterns match more than a name."""
    layers = graph.layers
    chosen = [
        "float32" if one.kind in FLOAT_ONLY else recipe.precision_of(one.layer) for one in graph.operators
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


def _statistics(graph: Graph, bounds: dict[str, tuple[float, float]]) -> dict[str, dict[str, Any]]:
    """The quantizer's calibration result, made from given bounds."""
    result: dict[str, dict[str, Any]] = {}
    for tensor in (graph.tensors[index] for index in graph.activations):
        if tensor.type != "float32":
            continue
        name = tensor.name
        if name not in bounds:
            raise InputError(f"no activation range for {name}; measure ranges on the file that is quantized")
        shape = (1,) * len(tensor.shape)
        low, high = (np.full(shape, value, np.float32) for value in bounds[name])
        result[name] = {"min": low, "max": high, "num_samples": np.asarray([1])}
    return result
