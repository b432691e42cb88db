"""What a foreign ONNX or TFLite file returns, each output as rows, and what its graph tells of them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.foundation.errors import InputError
from model.geometry.spec import parse_size

if TYPE_CHECKING:
    from convert.tflite.graph import Graph


LEAST_SIDE = 96
"""A file that says it takes smaller pictures was exported with any size at hand."""
PROBABILITIES = {"LOGISTIC", "SOFTMAX"}
JOINING = {"RESHAPE", "CONCATENATION", "DEQUANTIZE", *PROBABILITIES}
"""TFLite operators between a head's convolutions and an output."""
ONNX_MOVING = ("Reshape", "Transpose", "Concat", "Identity", "Squeeze", "Unsqueeze", "Flatten", "Cast")
ONNX_LINEAR = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True)
class Output:
    """One output as rows.

    Attributes:
        name, rows, channels: Of the output.
        turned: Whether channels stand before cells.
        maps: Rows (height) and channels of the maps that it is joined from, where the file shows them.
        logits: Whether the file shows that no sigmoid or softmax made it.
    """

    name: str
    rows: int
    channels: int
    turned: bool = False
    maps: tuple[tuple[int, int], ...] = ()
    logits: bool = False


def onnx_outputs(file: Path, size: str) -> tuple[int, int, list[Output], dict[int, str]]:
    """Height and width, the outputs, and the classes' names that Ultralytics and RapidAI write into files."""
    import torch

    from convert.onnx_file.fix_shape import opened_at
    from model.runtime.onnx_file import image_input, read_onnx

    model = read_onnx(file)
    image = image_input(model, file)
    side = image.height if image.height and image.height >= LEAST_SIDE else 320
    height, width = parse_size(size or f"{side}x{image.width if side == image.height else side}")
    with torch.no_grad():
        found = opened_at(file, height, width)(torch.zeros(1, 3, height, width))
    outputs = [
        replace(_read(item.name, tuple(one.shape)), logits=_is_logit(model, item.name))
        for item, one in zip(model.graph.output, found, strict=True)
    ]
    return height, width, outputs, _noted_names(model)


def _is_logit(model: Any, name: str) -> bool:
    """Whether a convolution or product made an output, with nothing behind it that makes probabilities."""
    makers = {made: node for node in model.graph.node for made in node.output}
    while name in makers and makers[name].op_type in ONNX_MOVING:
        name = makers[name].input[0]
    return name in makers and makers[name].op_type in ONNX_LINEAR


def _noted_names(model: Any) -> dict[int, str]:
    noted = {entry.key: entry.value for entry in model.metadata_props}
    try:
        names = ast.literal_eval(noted.get("names", "{}"))
    except (ValueError, SyntaxError):
        return {}
    names = names or enumerate(noted.get("character", "").split("\n"))
    return {place: "_".join(str(name).split()) for place, name in dict(names).items() if str(name).strip()}


def tflite_outputs(file: Path) -> tuple[int, int, list[Output]]:
    """Height and width of the input, and the outputs."""
    from convert.tflite.graph import read_graph

    graph = read_graph(file)
    shapes = [graph.tensors[index].shape for index in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != len("NHWC") or shapes[0][-1] != len("RGB"):
        raise InputError(
            f"{file}: expected one input, an image [1, H, W, 3], found {list(map(list, shapes))}"
        )
    _, height, width, _ = shapes[0]
    return height, width, [_tflite_output(graph, index) for index in graph.outputs]


def _tflite_output(graph: Graph, index: int) -> Output:
    tensor = graph.tensors[index]
    maps, seen = _maps(graph, index)
    logits = bool(maps) and not seen.intersection(PROBABILITIES)
    if len(tensor.shape) == len("NHWC"):
        return Output(tensor.name, prod(tensor.shape[:3]), tensor.shape[3], maps=maps, logits=logits)
    return replace(_read(tensor.name, tensor.shape), maps=maps, logits=logits)


def _maps(graph: Graph, index: int) -> tuple[tuple[tuple[int, int], ...], set[str]]:
    """Height and channels of the convolutions that an output is joined from, and what is between."""
    maker = graph.makers.get(index)
    if maker is None:
        return (), set()
    if maker.kind not in JOINING:
        shape = graph.tensors[index].shape
        return (((shape[1], shape[3]),) if len(shape) == len("NHWC") else ()), set()
    entries = maker.reads if maker.kind == "CONCATENATION" else maker.reads[:1]
    found = [_maps(graph, entry) for entry in entries]
    maps = tuple(one for part, _ in found for one in part)
    return maps if all(part for part, _ in found) else (), {maker.kind}.union(*(seen for _, seen in found))


def _read(name: str, shape: tuple[int, ...]) -> Output:
    sides = shape[1:] if len(shape) > 2 and shape[0] == 1 else shape
    if len(sides) == 3:  # a map, [C, H, W]
        return Output(name, sides[1] * sides[2], sides[0], True, ((sides[1], sides[0]),))
    if len(sides) != 2:
        raise InputError(f"output {name} has shape {list(shape)}: expected [N, C], [C, N] or [C, H, W]")
    return Output(name, max(sides), min(sides), sides[1] > sides[0])
