"""A first spec of a foreign ONNX or TFLite file, guessed from the shapes and names of its outputs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from convert.doors.foreign_outputs import Output, onnx_outputs, tflite_outputs
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec, parse_size

STRIDES = (4, 8, 16, 32, 64)
COUNTS = (1, 2, 3, 6)
"""Candidates a cell; six where BlazeFace lays three levels on one map."""
PYRAMIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (8, 16), (16, 32))
"""Levels that detectors return joined in one output, the usual ones first."""
PIXELS = {"cell_sizes": ("BGR", 0, 1), "cell_distances": ("RGB", 127.5, 128)}
BOX = 4
WIDTHS = {BOX: "boxes_from", 10: "landmarks_from"}
DISTRIBUTIONS = (32, 64, 68)
"""Channels of four sides of 8 (PicoDet, NanoDet), 16 (YOLOv8) or 17 steps (GFL)."""
BACKGROUND = ("anchor_offsets",)
"""Decoders whose published networks have a column of the background before those of the classes."""


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


def guess_spec(file: Path, size: str = "") -> Guess:
    """Propose a spec for an ONNX or TFLite file.

    Args:
        file: The file.
        size: Input size of an ONNX file, "320" or "HEIGHTxWIDTH"; its own, or 320, unless said. A TFLite file
            has its own.

    Raises:
        InputError: neither kind of file, a size it cannot run at, or outputs that look like no detector's.
    """
    if file.suffix == ".tflite":
        height, width, outputs = tflite_outputs(file)
        if size and parse_size(size) != (height, width):
            raise InputError(f"{file} takes {height}x{width} only, {size} was asked for")
        names: dict[int, str] = {}
    else:
        height, width, outputs, names = onnx_outputs(file, size)
    stem = re.sub(r"[^\w.-]", "_", file.stem.lower(), flags=re.ASCII)
    base = {"network": stem, "input_height": height, "input_width": width}
    guess = _decoded(base, outputs[0]) if len(outputs) == 1 else _levels(base, outputs)
    return _with_classes(_in_front_of_decoding(file, guess), names)


def _in_front_of_decoding(file: Path, guess: Guess) -> Guess:
    """Read the heads where the file decodes boxes itself, for integers bear that badly."""
    if file.suffix != ".onnx" or guess.spec["decoder"] != "boxes":
        return guess
    from convert.doors.heads import undecoded

    spec = DetectorSpec.from_json(guess.spec)
    found = undecoded(file, spec)
    if found is None:
        return guess
    before = spec.to_json()
    changed = {name: value for name, value in found.to_json().items() if value != before[name]}
    reason = (
        f"read at {2 * len(found.boxes_from)} convolutions in front of that, which gives the same boxes and "
        "scores on a picture of noise: int8 keeps more so (the app does not read dfl(...))"
    )
    return replace(guess, spec={**guess.spec, **changed}, reasons=(*guess.reasons, reason))


def _with_classes(guess: Guess, names: dict[int, str]) -> Guess:
    """Name the columns of several classes: as the file does, or by their numbers."""
    count = guess.spec["score_channels"] - len(guess.spec.get("objectness_from", ())[:1])
    if guess.spec["decoder"].startswith(BACKGROUND):
        count -= count > 1
    if count < 2:
        return guess
    classes = [names.get(place, f"class_{place}") for place in range(count)]
    reason = f"{count} classes, " + ("named in the file" if names else "numbered, for the file names none")
    doubt = 'which classes are wanted: columns of one name are one class, those of "" are nobody\'s'
    spec = {**guess.spec, "classes": classes}
    return replace(guess, spec=spec, reasons=(*guess.reasons, reason), doubts=(doubt, *guess.doubts))


def _decoded(base: dict[str, Any], output: Output) -> Guess:
    suffix = ".T" if output.turned else ""
    if output.channels < 5:
        raise InputError(f"its only output {output.name} has {output.channels} channels: no boxes and scores")
    levels = _anchors([output.rows], base["input_height"], base["input_width"])
    # YOLOv5 has three anchors a cell and an objectness before the classes, YOLOv8 neither.
    first = BOX + int(levels[0][1] > 1)
    spec: dict[str, Any] = {
        **base,
        "mean": [0, 0, 0],
        "std": [255, 255, 255],
        "channel_order": "RGB",
        "decoder": "boxes",
        "strides": [stride for stride, _ in levels],
        "anchor_sizes": [[1] * count for _, count in levels],
        "score_channels": output.channels - BOX,
        "points": 0,
        "boxes_from": [f"{output.name}{suffix}[0:4]"],
        "scores_from": [f"{output.name}{suffix}[{first}:{output.channels}]"],
    }
    if first > BOX:
        spec["objectness_from"] = [f"{output.name}{suffix}[4:5]"]
    kind = "an objectness, the rest classes, as YOLOv5" if first > BOX else "the rest scores, as YOLOv8"
    reason = f"one output of {output.channels} channels: four of a box, {kind} exports"
    return Guess(spec, (reason,), _PIXELS)


_PIXELS = ("the channel order, mean and std that the network was trained with",)


def _levels(base: dict[str, Any], outputs: Sequence[Output]) -> Guess:
    if (map_of_centres := _centres(base, outputs)) is not None:
        return map_of_centres
    fields, ones = _by_width(outputs)
    levels, reason = _pyramid(outputs, base["input_height"], base["input_width"])
    strides, counts = [stride for stride, _ in levels], [count for _, count in levels]
    objectness = [one for one in ones if "obj" in one.name.lower()]
    scores = [one for one in ones if one not in objectness]
    if not objectness and len(ones) == 2 * len(fields["boxes_from"]):
        scores, objectness = ones[: len(ones) // 2], ones[len(ones) // 2 :]
    joined = fields["boxes_from"][0].channels > BOX and "landmarks_from" in fields
    bins = fields["boxes_from"][0].channels > BOX and not joined
    decoder, why = _decoder(bool(objectness), joined, max(counts))
    if bins:
        decoder, why = (
            "cell_distances:centre",
            "distributions of distances, as PicoDet has them",
        )
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
            [1] * count if joined or bins else [stride * (2 << place) for place in range(count)]
            for stride, count in levels
        ],
        "score_channels": scores[0].channels + bool(objectness),
    }
    if joined:
        spec |= {"variances": [1, 1], "points": (fields["boxes_from"][0].channels - BOX) // 2}
    for name, found in (*fields.items(), ("scores_from", scores), ("objectness_from", objectness)):
        if found:
            parts = [_part(one, name, joined) for one in sorted(found, key=lambda one: -one.rows)]
            spec[name] = [f"dfl({one})" for one in parts] if bins and name == "boxes_from" else parts
    if "landmarks_from" not in fields:
        spec["points"] = 0
    doubts = [*_PIXELS, "the decoder, and the anchors' sizes if it has anchors"]
    return Guess(spec, (reason, why), tuple(doubts))


def _centres(base: dict[str, Any], outputs: Sequence[Output]) -> Guess | None:
    """CenterFace: maps of centres, sizes, offsets and points; the file's order tells the twos apart."""
    twos = [one for one in outputs if one.channels == 2 and one.turned]
    ones = [one for one in outputs if one.channels == 1 and one.turned]
    if len({one.rows for one in outputs}) > 1 or len(twos) != 2 or len(ones) != 1:
        return None
    sizes, offsets = twos
    spec: dict[str, Any] = {
        **base,
        "channel_order": "RGB",
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "decoder": "heatmap",
        "strides": [base["input_height"] // ones[0].maps[0][0]],
        "anchor_sizes": [[1]],
        "score_channels": 1,
        "boxes_from": [f"{offsets.name}.T|{sizes.name}.T"],
        "scores_from": [f"{ones[0].name}.T"],
    }
    points = [one for one in outputs if one.channels > BOX]
    spec |= {"landmarks_from": [f"{points[0].name}.T"]} if points else {"points": 0}
    reason = "a map of one channel beside two of two: centres, sizes and offsets, as CenterFace has them"
    return Guess(spec, (reason,), ("which map of two is the sizes' (taken: the first)", *_PIXELS))


def _by_width(outputs: Sequence[Output]) -> tuple[dict[str, list[Output]], list[Output]]:
    """Outputs of boxes and of landmarks by the spec's field, and those of scores.

    Raises:
        InputError: there are none of boxes or none of scores.
    """
    fields: dict[str, list[Output]] = {}
    ones: list[Output] = []
    for one in outputs:
        if one.channels in WIDTHS:
            fields.setdefault(WIDTHS[one.channels], []).append(one)
        elif one.channels <= 2:
            ones.append(one)
    others = [one for one in outputs if one.channels not in WIDTHS and one.channels > 2]
    if "boxes_from" not in fields and ones and all(one.channels % 2 == 0 for one in others) and others:
        fields = {"boxes_from": others, "landmarks_from": others}
    elif "boxes_from" in fields and not ones:  # several classes
        ones = others
    elif "boxes_from" not in fields and not ones:
        fields, ones = _distributions(outputs)
    if "boxes_from" not in fields or not ones:
        raise InputError(
            "found no outputs of 4 channels (boxes) and of 1 or 2 (scores) among "
            + ", ".join(f"{one.name} [{one.rows}, {one.channels}]" for one in outputs)
        )
    return fields, ones


def _distributions(outputs: Sequence[Output]) -> tuple[dict[str, list[Output]], list[Output]]:
    """Outputs of 4 R channels and of classes, as many of each and of the same rows: PicoDet, NanoDet."""
    widths = sorted({one.channels for one in outputs})
    bins = next((width for width in widths if width in DISTRIBUTIONS), 0)
    boxes = [one for one in outputs if one.channels == bins]
    scores = [one for one in outputs if one.channels != bins]
    alike = len(widths) == 2 and sorted(one.rows for one in boxes) == sorted(one.rows for one in scores)
    return ({"boxes_from": boxes}, scores) if bins and alike else ({}, [])


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


def _part(output: Output, field: str, joined: bool) -> str:
    text = f"{output.name}.T" if output.turned else output.name
    if joined and field == "boxes_from":
        text += f"[0:{BOX}]"
    elif joined and field == "landmarks_from":
        text += f"[{BOX}:{output.channels}]"
    scores = (
        field in ("scores_from", "objectness_from") and output.channels != 2
    )  # two: a softmax, not a sigmoid
    return f"sigmoid({text})" if output.logits and scores else text


def _pyramid(outputs: Sequence[Output], height: int, width: int) -> tuple[list[Level], str]:
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
    each = [
        [
            (one, count)
            for count in COUNTS
            for one in STRIDES
            if _rows([(one, count)], height, width) == number
        ]
        for number in rows
    ]
    fitting = [list(levels) for levels in product(*each) if all(a[0] < b[0] for a, b in pairwise(levels))]
    if fitting:
        return min(
            fitting, key=lambda levels: (len({count for _, count in levels}), sum(c for _, c in levels))
        )
    for count in (1, 2, 3):
        for pyramid in PYRAMIDS if len(rows) == 1 else ():
            levels = [(stride, count) for stride in pyramid]
            if _rows(levels, height, width) == rows[0]:
                return levels
    counts, strides = (", ".join(map(str, numbers)) for numbers in (rows, STRIDES))
    raise InputError(
        f"outputs of {counts} rows are no levels of strides {strides} "
        f"with {', '.join(map(str, COUNTS))} candidates a cell; write the spec by hand (convert/README.md)"
    )
