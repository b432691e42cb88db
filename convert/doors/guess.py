"""A first spec of a foreign ONNX or TFLite file, guessed from the shapes and names of its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.foundation.errors import InputError
from model.geometry.spec import parse_size

if TYPE_CHECKING:
    from convert.tflite.graph import Graph

STRIDES = (4, 8, 16, 32, 64)
PYRAMIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (8, 16), (16, 32))
"""Levels that detectors return joined in one output, the usual ones first."""
PIXELS = {"cell_sizes": ("BGR", 0, 1), "cell_distances": ("RGB", 127.5, 128)}
BOX = 4
WIDTHS = {BOX: "boxes_from", 10: "landmarks_from"}
PROBABILITIES = {"LOGISTIC", "SOFTMAX"}
JOINING = {"RESHAPE", "CONCATENATION", "DEQUANTIZE", *PROBABILITIES}
"""TFLite operators between a head's convolutions and an output."""


@dataclass(frozen=True)
class Guess:
    """A spec to begin with.

    Attributes:
        spec: As JSON values; `DetectorSpec.from_json` reads it.
        reasons: What each part was concluded from, a line each.
        doubts: What shapes cannot tell, a line each: to be checked on photographs.
    """

    spec: dict[str, Any]
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]


Level = tuple[int, int]
"""Stride in pixels, candidates a cell."""


@dataclass(frozen=True)
class _Output:
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


def guess_spec(file: Path, size: str = "") -> Guess:
    """Propose a spec for an ONNX or TFLite file.

    Args:
        file: The file.
        size: Input size of an ONNX file, "320" or "HEIGHTxWIDTH"; 320 unless said. A TFLite file has its own.

    Raises:
        InputError: neither kind of file, a size it cannot run at, or outputs that look like no detector's.
    """
    if file.suffix == ".tflite":
        height, width, outputs = _tflite_outputs(file)
        if size and parse_size(size) != (height, width):
            raise InputError(f"{file} takes {height}x{width} only, {size} was asked for")
    else:
        height, width = parse_size(size or "320")
        outputs = _onnx_outputs(file, height, width)
    base = {"network": file.stem.lower(), "input_height": height, "input_width": width}
    if len(outputs) == 1:
        return _decoded(base, outputs[0])
    return _levels(base, outputs)


def _onnx_outputs(file: Path, height: int, width: int) -> list[_Output]:
    import torch

    from convert.doors.onnx import running
    from model.runtime.onnx_file import read_onnx

    model, shape = read_onnx(file), (1, 3, height, width)
    network = running(file, model, shape)
    with torch.no_grad():
        found = network(torch.zeros(*shape))
    names = [item.name for item in model.graph.output]
    return [_read(name, tuple(one.shape)) for name, one in zip(names, found, strict=True)]


def _tflite_outputs(file: Path) -> tuple[int, int, list[_Output]]:
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


def _tflite_output(graph: Graph, index: int) -> _Output:
    tensor = graph.tensors[index]
    maps, seen = _maps(graph, index)
    logits = bool(maps) and not seen.intersection(PROBABILITIES)
    if len(tensor.shape) == len("NHWC"):
        return _Output(tensor.name, prod(tensor.shape[:3]), tensor.shape[3], maps=maps, logits=logits)
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


def _read(name: str, shape: tuple[int, ...]) -> _Output:
    sides = shape[1:] if len(shape) > 2 and shape[0] == 1 else shape
    if len(sides) == 3:  # a map, [C, H, W]
        return _Output(name, sides[1] * sides[2], sides[0], True)
    if len(sides) != 2:
        raise InputError(f"output {name} has shape {list(shape)}: expected [N, C], [C, N] or [C, H, W]")
    return _Output(name, max(sides), min(sides), sides[1] > sides[0])


def _decoded(base: dict[str, Any], output: _Output) -> Guess:
    suffix = ".T" if output.turned else ""
    if output.channels < 5:
        raise InputError(f"its only output {output.name} has {output.channels} channels: no boxes and scores")
    spec = {
        **base,
        "mean": [0, 0, 0],
        "std": [255, 255, 255],
        "channel_order": "RGB",
        "decoder": "boxes",
        "anchor_sizes": [[1], [1], [1]],
        "score_channels": output.channels - 4,
        "points": 0,
        "boxes_from": [f"{output.name}{suffix}[0:4]"],
        "scores_from": [f"{output.name}{suffix}[4:{output.channels}]"],
    }
    reason = f"one output of {output.channels} channels: four of a box, the rest scores, as YOLOv8 exports"
    return Guess(spec, (reason,), ("which of the score channels is the face's", *_PIXELS))


_PIXELS = ("the channel order, mean and std that the network was trained with",)


def _levels(base: dict[str, Any], outputs: Sequence[_Output]) -> Guess:
    fields, ones = _by_width(outputs)
    levels, reason = _pyramid(outputs, base["input_height"], base["input_width"])
    strides, counts = [stride for stride, _ in levels], [count for _, count in levels]
    objectness = [one for one in ones if "obj" in one.name.lower()]
    scores = [one for one in ones if one not in objectness]
    if not objectness and len(ones) == 2 * len(fields["boxes_from"]):
        scores, objectness = ones[: len(ones) // 2], ones[len(ones) // 2 :]
    joined = "boxes_from" in fields and fields["boxes_from"][0].channels > BOX
    decoder, why = _decoder(bool(objectness), joined, max(counts))
    # What the published networks of this decoder want.
    order, mean, std = PIXELS.get(decoder, ("RGB", 127.5, 127.5))
    spec: dict[str, Any] = {
        **base,
        "channel_order": order,
        "mean": [mean] * 3,
        "std": [std] * 3,
        "decoder": decoder,
        "strides": strides,
        "anchor_sizes": [
            [1] * count if joined else [stride * (2 << place) for place in range(count)]
            for stride, count in levels
        ],
        "score_channels": scores[0].channels + bool(objectness),
    }
    if joined:
        spec |= {"variances": [1, 1], "points": (fields["boxes_from"][0].channels - BOX) // 2}
    for name, found in (*fields.items(), ("scores_from", scores), ("objectness_from", objectness)):
        if found:
            spec[name] = [_part(one, name, joined) for one in sorted(found, key=lambda one: -one.rows)]
    if "landmarks_from" not in fields:
        spec["points"] = 0
    doubts = [*_PIXELS, "the decoder, and the anchors' sizes if it has anchors"]
    return Guess(spec, (reason, why), tuple(doubts))


def _by_width(outputs: Sequence[_Output]) -> tuple[dict[str, list[_Output]], list[_Output]]:
    """Outputs of boxes and of landmarks by the spec's field, and those of scores.

    Raises:
        InputError: there are none of boxes or none of scores.
    """
    fields: dict[str, list[_Output]] = {}
    ones: list[_Output] = []
    for one in outputs:
        if one.channels in WIDTHS:
            fields.setdefault(WIDTHS[one.channels], []).append(one)
        elif one.channels <= 2:
            ones.append(one)
    both = [one for one in outputs if one.channels > BOX and one.channels % 2 == 0]
    if "boxes_from" not in fields and both:
        fields = {"boxes_from": both, "landmarks_from": both}
    if "boxes_from" not in fields or not ones:
        raise InputError(
            "found no outputs of 4 channels (boxes) and of 1 or 2 (scores) among "
            + ", ".join(f"{one.name} [{one.rows}, {one.channels}]" for one in outputs)
        )
    return fields, ones


def _decoder(objectness: bool, joined: bool, count: int) -> tuple[str, str]:
    """The decoder and why."""
    if objectness:
        return "cell_sizes", "objectness beside scores: sizes as exponents, as YuNet and YOLOX have them"
    if joined:
        return (
            "anchor_offsets:plain",
            "boxes and points in one output: in pixels, as BlazeFace has them",
        )
    decoder = "cell_distances" if count == 2 else "anchor_offsets"
    return decoder, f"{count} candidates a cell and no objectness: {decoder}"


def _part(output: _Output, field: str, joined: bool) -> str:
    text = f"{output.name}.T" if output.turned else output.name
    if joined and field == "boxes_from":
        text += f"[0:{BOX}]"
    elif joined and field == "landmarks_from":
        text += f"[{BOX}:{output.channels}]"
    return f"sigmoid({text})" if output.logits and output.channels == 1 else text


def _pyramid(outputs: Sequence[_Output], height: int, width: int) -> tuple[list[Level], str]:
    """The levels that explain the outputs, and what they were concluded from."""
    boxes = sorted((one for one in outputs if one.channels >= BOX), key=lambda one: -one.rows)
    maps = [(height // side, each // one.channels) for one in boxes[:1] for side, each in one.maps]
    rows = sorted({one.rows for one in outputs}, reverse=True)
    if len(rows) == 1 and maps and _rows(maps, height, width) == rows[0]:
        return maps, f"{boxes[0].name} is joined from maps: (stride, candidates a cell) {maps}"
    levels = _anchors(rows, height, width)
    strides = [stride for stride, _ in levels]
    return levels, f"{rows} rows: strides {strides}, {levels[0][1]} candidate(s) a cell"


def _rows(levels: Sequence[Level], height: int, width: int) -> int:
    return sum((height // stride) * (width // stride) * count for stride, count in levels)


def _anchors(rows: Sequence[int], height: int, width: int) -> list[Level]:
    """The levels that explain the numbers of rows: one an output, or all joined in each.

    Raises:
        InputError: none do.
    """
    for count in (1, 2, 3):
        found = [
            [one for one in STRIDES if _rows([(one, count)], height, width) == number] for number in rows
        ]
        if all(found):
            return [(strides[0], count) for strides in found]
    for count in (1, 2, 3):
        for pyramid in PYRAMIDS if len(rows) == 1 else ():
            levels = [(stride, count) for stride in pyramid]
            if _rows(levels, height, width) == rows[0]:
                return levels
    counts, strides = (", ".join(map(str, numbers)) for numbers in (rows, STRIDES))
    raise InputError(
        f"outputs of {counts} rows are no levels of strides {strides} "
        "with 1 to 3 candidates a cell; write the spec by hand (convert/README.md)"
    )
