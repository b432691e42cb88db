"""A first spec of a foreign ONNX file, guessed from the shapes and names of its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.foundation.errors import InputError

STRIDES = (4, 8, 16, 32, 64)
PIXELS = {"cell_sizes": ("BGR", 0, 1), "cell_distances": ("RGB", 127.5, 128)}
WIDTHS = {4: "boxes_from", 10: "landmarks_from"}


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


@dataclass(frozen=True)
class _Output:
    name: str
    rows: int
    channels: int
    turned: bool


def guess_spec(file: Path, height: int, width: int) -> Guess:
    """Propose a spec for an ONNX file at an input size in pixels.

    Raises:
        InputError: no ONNX file, a size it cannot run at, or outputs that look like no detector's.
    """
    import torch

    from convert.onnx_file.fix_shape import fixed
    from model.runtime.onnx_file import read_onnx
    from model.runtime.onnx_module import OnnxModule

    model = read_onnx(file)
    network = OnnxModule(fixed(model, (1, 3, height, width), str(file)))
    with torch.no_grad():
        found = network(torch.zeros(1, 3, height, width))
    names = [item.name for item in model.graph.output]
    outputs = [_read(name, tuple(one.shape)) for name, one in zip(names, found, strict=True)]
    cells = {stride: (height // stride) * (width // stride) for stride in STRIDES}
    base = {"network": file.stem.lower(), "input_height": height, "input_width": width}
    if len(outputs) == 1:
        return _decoded(base, outputs[0])
    return _levels(base, outputs, cells)


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


def _levels(base: dict[str, Any], outputs: Sequence[_Output], cells: dict[int, int]) -> Guess:
    rows = sorted({one.rows for one in outputs}, reverse=True)
    each, strides = _anchors(rows, cells)
    fields: dict[str, list[_Output]] = {}
    ones: list[_Output] = []
    for one in outputs:
        if one.channels in WIDTHS:
            fields.setdefault(WIDTHS[one.channels], []).append(one)
        elif one.channels <= 2:
            ones.append(one)
    if "boxes_from" not in fields or not ones:
        raise InputError(
            "found no outputs of 4 channels (boxes) and of 1 or 2 (scores) among "
            + ", ".join(f"{one.name} [{one.rows}, {one.channels}]" for one in outputs)
        )
    objectness = [one for one in ones if "obj" in one.name.lower()]
    scores = [one for one in ones if one not in objectness]
    if not objectness and len(ones) == 2 * len(fields["boxes_from"]):
        scores, objectness = ones[: len(ones) // 2], ones[len(ones) // 2 :]
    decoder = "cell_sizes" if objectness else "cell_distances" if each == 2 else "anchor_offsets"
    # What the published networks of this decoder want.
    order, mean, std = PIXELS.get(decoder, ("RGB", 127.5, 127.5))
    reasons = [f"{len(rows)} level(s) of {rows} rows: strides {strides}, {each} candidate(s) a cell"]
    reasons.append(
        "objectness beside scores: sizes as exponents, as YuNet and YOLOX have them"
        if objectness
        else f"{each} candidates a cell and no objectness: {decoder}"
    )
    spec: dict[str, Any] = {
        **base,
        "channel_order": order,
        "mean": [mean] * 3,
        "std": [std] * 3,
        "decoder": decoder,
        "strides": strides,
        "anchor_sizes": [[stride * (2 << place) for place in range(each)] for stride in strides],
        "score_channels": scores[0].channels + bool(objectness),
    }
    for name, found in (*fields.items(), ("scores_from", scores), ("objectness_from", objectness)):
        if found:
            ordered = sorted(found, key=lambda one: -one.rows)
            spec[name] = [f"{one.name}.T" if one.turned else one.name for one in ordered]
    if "landmarks_from" not in fields:
        spec["points"] = 0
    doubts = [*_PIXELS, "the decoder, and the anchors' sizes if it has anchors"]
    return Guess(spec, tuple(reasons), tuple(doubts))


def _anchors(rows: Sequence[int], cells: dict[int, int]) -> tuple[int, list[int]]:
    """Candidates a cell and strides that explain the numbers of rows of the levels.

    Raises:
        InputError: none do.
    """
    for each in (1, 2, 3):
        found = [[stride for stride, count in cells.items() if count * each == number] for number in rows]
        if all(found):
            return each, [strides[0] for strides in found]
    counts, strides = (", ".join(map(str, numbers)) for numbers in (rows, STRIDES))
    raise InputError(
        f"outputs of {counts} rows are no levels of strides {strides} "
        "with 1 to 3 candidates a cell; write the spec by hand (convert/README.md)"
    )
