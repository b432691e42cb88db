"""Apply a recipe to a float TFLite file. The only module that touches ai-edge-quantizer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_quantizer import quantizer
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName
from ai_edge_quantizer.recipe import static_wi8_ai8
from numpy.typing import NDArray

from convert.tflite.graph import Graph, read_graph
from model.foundation.damage import damage_is_said
from model.foundation.errors import InputError
from model.runtime.flatbuffer import parse_model, write_model
from quantize.apply.passes import integer_passes
from quantize.precision import FLOAT32, PRECISIONS, WITH_WEIGHTS, Precision
from quantize.recipe import Recipe

ACTIVATION_BITS = 8
_ALGORITHMS = {16: AlgorithmName.FLOAT_CASTING}
"""Bits of a weight -> how it is stored, where not as scaled integers."""


def apply_recipe(
    recipe: Recipe, model: Path, bounds: Mapping[str, tuple[float, float]] | None, output: Path
) -> None:
    """Quantize a float TFLite file; the same inputs give the same bytes.

    Args:
        recipe: Precision of each layer.
        model: Float TFLite file with the project's layer names.
        bounds: Name of each activation -> (low, high); needed when the recipe is static.
        output: File to write. Its input takes the recipe's pixels if its first layer is int8.

    Raises:
        InputError: the file is quantized already, tensors share a name, a rule matches no layer, an
            activation has no bounds, or two precisions have integer activations.
    """
    graph = read_graph(model)
    if any(tensor.type == "float16" or tensor.scales is not None for tensor in graph.tensors):
        raise InputError(f"{model} is quantized already: apply recipes to the float32 file that convert made")
    names = Counter(graph.tensors[index].name for index in graph.activations)
    if twice := [name for name, count in names.items() if count > 1]:
        raise InputError(
            f"{model}: {len(twice)} name(s) stand for several tensors, e.g. {twice[0]!r}: convert it"
        )
    recipe.check_layers(graph.layers)
    assigned = _assigned(recipe, graph)
    _require_one_static(recipe, assigned)
    tool = quantizer.Quantizer(str(model))
    tool.load_quantization_recipe([])
    _configure(tool, assigned)
    statistics = _statistics(graph, bounds or {}) if recipe.is_static else None
    quiet = {"enable_progress_bar": False, "enable_progress_report": False}
    with damage_is_said(f"{model}: the quantizer cannot take its graph"):
        made = tool.quantize(statistics, **quiet).quantized_model
    if made is None:
        raise RuntimeError("the quantizer returned no model")
    result = parse_model(bytes(made))
    if not result.signatureDefs:
        raise InputError(f"{model} has no signature: convert it, and apply recipes to what that makes")
    for each in integer_passes(recipe.pixels):
        each(result)
    write_model(result, output)


def quantize_foreign(model: Path, inputs: Sequence[NDArray[np.float32]], output: Path) -> None:
    """Quantize a file of another origin as its makers would: all int8, ranges by the tool's own calibration.

    Args:
        model: Float TFLite file with one signature, "serving_default", of one input.
        inputs: What to calibrate on, of that input's shape.
        output: File to write.
    """
    tool = quantizer.Quantizer(str(model))
    tool.load_quantization_recipe(static_wi8_ai8())
    ranges = tool.calibrate({"serving_default": [{"args_0": one} for one in inputs]})
    tool.quantize(ranges).export_model(str(output), overwrite=True)


def _assigned(recipe: Recipe, graph: Graph) -> dict[str, Precision]:
    """Layer by operator -> its precision, or float32 where no kernel takes that."""
    wanted = {layer: recipe.precision_of(layer) for layer in graph.layers}
    return {
        one.layer: wanted[one.layer] if wanted[one.layer].covers(one.kind) else FLOAT32
        for one in graph.operators
    }


def _require_one_static(recipe: Recipe, assigned: Mapping[str, Precision]) -> None:
    """The tool takes one precision with integer activations for a whole file, and leaves layers out of it."""
    static = sorted({row.name for row in assigned.values() if row.method == "static"})
    if len(static) > 1:
        raise InputError(
            f"recipe {recipe.name} asks for {' and '.join(static)}: a file can have one precision with "
            "integer activations; keep one of them and give the other layers weights in fewer bits"
        )


def _configure(tool: Any, assigned: Mapping[str, Precision]) -> None:
    """Translate the assignment layer by layer: the tool's own patterns match more than a name."""
    layers: dict[Precision, list[str]] = {}
    for layer, row in assigned.items():
        layers.setdefault(row, []).append(layer)
    for row in (one for one in PRECISIONS.values() if one in layers and one.method == "static"):
        tool.add_static_config(
            ".*",
            TFLOperationName.ALL_SUPPORTED,
            activation_num_bits=ACTIVATION_BITS,
            weight_num_bits=row.weight_bits,
        )
        others = [layer for layer, other in assigned.items() if other is not row]
        # The tool would give all outputs one treatment; each keeps the precision of its own layer.
        for regex, operation in (
            (_exactly(others), TFLOperationName.ALL_SUPPORTED),
            (".*", TFLOperationName.OUTPUT),
        ):
            tool.update_quantization_recipe(
                regex=regex, operation_name=operation, algorithm_key=AlgorithmName.NO_QUANTIZE
            )
    ask = {"weights": tool.add_weight_only_config, "dynamic": tool.add_dynamic_config}
    for row in (one for one in PRECISIONS.values() if one in layers and one.method in ask):
        for kind in sorted(WITH_WEIGHTS):
            ask[row.method](
                regex=_exactly(layers[row]),
                operation_name=TFLOperationName(kind),
                num_bits=row.weight_bits,
                algorithm_key=_ALGORITHMS.get(row.weight_bits, AlgorithmName.MIN_MAX_UNIFORM_QUANT),
            )


def _exactly(layers: Sequence[str]) -> str:
    """A pattern for these layers and no other; the tool puts a semicolon behind each name."""
    return f"^({'|'.join(re.escape(layer) for layer in layers)});$" if layers else "(?!)"


def _statistics(graph: Graph, bounds: Mapping[str, tuple[float, float]]) -> dict[str, dict[str, Any]]:
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
