"""Empirical bias correction on the real TFLite file: integer layers whose mean is off get another bias.

Source: Nagel et al., Data-free quantization through weight equalization and bias correction, 2019,
section 4.2 and appendix D (the empirical variant): layer by layer, each seeing the layers before it
quantized and corrected. Where an activation is fused, only the positions at which either file is not
zero are compared, for only there does a bias act.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.tflite.graph import WEIGHTED, Graph, read_graph
from model.foundation.artifact import replacing
from model.foundation.command_line.progress import tracked
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels
from model.runtime.interpreter import TfliteInterpreter

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Layer:
    """Integer operators that read one int32 bias.

    Attributes:
        buffer: Of the bias.
        outputs: (tensor's index in the integer file, its name, scale of one unit of the bias [C]) each.
    """

    buffer: int
    outputs: list[tuple[int, str, Floats]]


def correct_biases(model: Path, quantized: Path, images: Sequence[Pixels], output: Path) -> int:
    """Shift the biases of a quantized file by its layers' mean errors.

    Args:
        model: The float file it was made from.
        quantized: The file.
        images: uint8 RGB [H, W, 3] of its size, a dozen or so.
        output: Corrected file to write; may be `quantized`.

    Returns:
        How many layers were corrected.

    Raises:
        InputError: no image, or no integer layer with a bias.
    """
    if not images:
        raise InputError("no image to correct biases on")
    layers = _integer_layers(read_graph(quantized))
    if not layers:
        raise InputError(f"{quantized} has no int8 layer with a bias to correct")
    expected = _expected(model, images, {name for layer in layers for _, name, _ in layer.outputs})
    content = bytearray(quantized.read_bytes())
    for layer in tracked(layers, f"bias correction of {quantized.name}"):
        bias = _bias(content, layer.buffer)
        shift = _shift(bytes(content), layer, images, expected)
        limits = np.iinfo(np.int32)
        bias[:] = np.clip(np.round(bias - shift), limits.min, limits.max).astype(np.int32)
    with replacing(output) as temporary:
        temporary.write_bytes(content)
    return len(layers)


def _integer_layers(graph: Graph) -> list[_Layer]:
    found: dict[int, _Layer] = {}
    for operator in graph.operators:
        if operator.kind not in WEIGHTED or len(operator.reads) < 3:
            continue
        entry, weight, bias = (graph.tensors[index] for index in operator.reads[:3])
        if entry.type != "int8" or bias.type != "int32" or entry.scales is None or weight.scales is None:
            continue
        unit = np.float64(entry.scales[0]) * weight.scales.astype(np.float64)
        layer = found.setdefault(bias.buffer, _Layer(bias.buffer, []))
        layer.outputs.append((operator.outputs[0], operator.layer, unit))
    return list(found.values())


def _bias(content: bytearray, buffer: int) -> NDArray[np.int32]:
    """A view into the file's bytes."""
    values: NDArray[np.uint8] = schema.Model.GetRootAs(content, 0).Buffers(buffer).DataAsNumpy()
    return values.view(np.int32)


def _expected(model: Path, images: Sequence[Pixels], names: set[str]) -> list[dict[str, NDArray[np.float32]]]:
    """Of each image, what the float file computes at the named tensors."""
    running = TfliteInterpreter(model, all_tensors=True)
    missing = names - set(running.by_name)
    if missing:
        raise InputError(
            f"{model} has no tensor {sorted(missing)[0]}: not what the quantized file was made from"
        )
    result = []
    for image in images:
        running.run(image)
        result.append({name: running.value(running.by_name[name]) for name in names})
    return result


def _shift(
    content: bytes, layer: _Layer, images: Sequence[Pixels], expected: list[dict[str, NDArray[np.float32]]]
) -> Floats:
    """Mean error of a layer's channels, in units of its bias [C]."""
    running = TfliteInterpreter(content, all_tensors=True)
    total: Floats = np.zeros(len(layer.outputs[0][2]))
    count: Floats = np.zeros(1)
    for image, right in zip(images, expected, strict=True):
        running.run(image)
        for index, name, unit in layer.outputs:
            found, wanted = (
                values.reshape(-1, len(unit))
                for values in (running.value(running.tensors[index]), right[name])
            )
            acts = (found != 0) | (wanted != 0)
            total = total + np.where(acts, found.astype(np.float64) - wanted, 0).sum(axis=0) / unit
            count = count + acts.sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.zeros_like(total), where=count > 0))
