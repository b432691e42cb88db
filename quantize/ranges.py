"""Activation ranges: measured on images with the float TFLite file, kept as JSON."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from convert.flatbuffer import INPUT_NAME, read_model, text
from convert.operators import operator_names
from model.artifact import read_json, sha256_of, write_json
from model.errors import InputError
from model.letterbox import Pixels
from quantize.recipe import Estimator


@dataclass(frozen=True)
class TensorRange:
    """Extremes of one activation tensor.

    Attributes:
        low, high: Over all images.
        mean_low, mean_high: Means of each image's extremes.
    """

    low: float
    high: float
    mean_low: float
    mean_high: float

    def bounds(self, estimator: Estimator) -> tuple[float, float]:
        """(low, high) by the recipe's estimator."""
        return (self.low, self.high) if estimator == "min_max" else (self.mean_low, self.mean_high)


Ranges = dict[str, TensorRange]


def measure_ranges(model: Path, inputs: Iterable[Pixels]) -> Ranges:
    """Run the float file's builtin kernels on images and watch every activation.

    Args:
        model: Float TFLite file whose input takes RGB in 0..255.
        inputs: uint8 RGB [H, W, 3] of its size.

    Raises:
        InputError: there is no image.
    """
    interpreter = _watching(model)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    watched = _activations(model)
    lows: list[list[float]] = []
    highs: list[list[float]] = []
    for image in inputs:
        interpreter.set_tensor(entry, image[None].astype(np.float32))
        interpreter.invoke()
        values = [interpreter.get_tensor(index) for index in watched.values()]
        lows.append([float(value.min()) for value in values])
        highs.append([float(value.max()) for value in values])
    if not lows:
        raise InputError("no image to measure activation ranges on")
    low, high = np.asarray(lows), np.asarray(highs)
    columns = zip(low.min(0), high.max(0), low.mean(0), high.mean(0), strict=True)
    return {
        name: TensorRange(*(float(v) for v in column)) for name, column in zip(watched, columns, strict=True)
    }


def _watching(model: Path) -> Interpreter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the runtime warns that keeping all tensors takes memory
        return Interpreter(
            str(model),
            num_threads=1,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )


def _activations(path: Path) -> dict[str, int]:
    """Name -> index of every float tensor that is computed, and of the input."""
    model = read_model(path)
    graph = model.subgraphs[0]
    computed = [*graph.inputs, *(index for operator in graph.operators for index in operator.outputs)]
    return {text(graph.tensors[i].name): int(i) for i in computed if graph.tensors[i].type == 0}


def prepared(ranges: Ranges, estimator: Estimator, model: Path) -> dict[str, tuple[float, float]]:
    """Bounds for the quantizer: by estimator, pixels at 0..255, joined tensors on one scale.

    The input's bounds are set, not measured, so that a pixel's byte is its quantized value. Tensors
    that do nothing but enter a concatenation get its bounds: equal scales need no rescaling.
    """
    bounds = {name: measured.bounds(estimator) for name, measured in ranges.items()}
    bounds[INPUT_NAME] = (0.0, 255.0)
    parsed = read_model(model)
    graph = parsed.subgraphs[0]
    names = [text(tensor.name) for tensor in graph.tensors]
    kinds = operator_names(parsed)
    makers = {int(i): number for number, op in enumerate(graph.operators) for i in op.outputs}
    uses = np.bincount([i for op in graph.operators for i in op.inputs if i >= 0], minlength=len(names))
    for kind, operator in zip(kinds, graph.operators, strict=True):
        if kind != "CONCATENATION" or names[operator.outputs[0]] not in bounds:
            continue
        for entry in operator.inputs:
            index = int(entry)
            while uses[index] == 1 and index in makers:
                bounds[names[index]] = bounds[names[operator.outputs[0]]]
                maker = makers[index]
                if kinds[maker] != "RESHAPE":
                    break
                index = int(graph.operators[maker].inputs[0])
    return bounds


def write_ranges(path: Path, checkpoint: Path, sizes: dict[str, tuple[Ranges, dict[str, Any]]]) -> None:
    """Keep ranges measured at several input sizes, tied to the checkpoint they belong to.

    Args:
        path: JSON file to write.
        checkpoint: Its hash is recorded.
        sizes: "HEIGHTxWIDTH" -> ranges, and facts about the images they were measured on.
    """
    write_json(
        path,
        {
            "checkpoint_sha256": sha256_of(checkpoint),
            "sizes": {
                size: {
                    "images": facts,
                    "ranges": {
                        name: [float(f"{v:.9g}") for v in (r.low, r.high, r.mean_low, r.mean_high)]
                        for name, r in ranges.items()
                    },
                }
                for size, (ranges, facts) in sizes.items()
            },
        },
    )


def read_ranges(path: Path, checkpoint_sha256: str, height: int, width: int) -> tuple[Ranges, str]:
    """Read the ranges for a checkpoint at an input size, or at the nearest size that was measured.

    Returns:
        The ranges and the size they were measured at, "HEIGHTxWIDTH".

    Raises:
        InputError: unreadable, or measured for another checkpoint.
    """
    value = read_json(path)
    if value.get("checkpoint_sha256") != checkpoint_sha256:
        raise InputError(
            f"{path} was measured for another checkpoint; measure again with 'python -m quantize ranges', "
            "or calibrate on images"
        )
    sizes: dict[str, Any] = value["sizes"]

    def distance(size: str) -> float:
        other_height, other_width = (int(side) for side in size.split("x"))
        return abs(float(np.log(height * width / (other_height * other_width))))

    nearest = min(sizes, key=distance)
    return {name: TensorRange(*entry) for name, entry in sizes[nearest]["ranges"].items()}, nearest
