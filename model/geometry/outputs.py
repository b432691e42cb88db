"""A file's outputs -> the rows that a decoder reads, whatever the file calls and however it cuts them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec

Floats = NDArray[np.float32]
_PART = re.compile(
    r"^(?P<logits>sigmoid\()?(?P<name>.+?)(?P<turned>\.T)?(\[(?P<first>\d+):(?P<last>\d+)\])?(?(logits)\))$"
)
LARGEST_LOGIT = 80.0
"""Its sigmoid is 1 in single precision: larger ones, infinite ones too, are read as this."""


@dataclass(frozen=True)
class Part:
    """An output, or some channels of one, as the spec's `*_from` fields write it: `sigmoid(NAME.T[4:6])`.

    Attributes:
        name: Of the file's output.
        turned: Whether channels stand before cells: [1, C, N] or [1, C, H, W].
        channels: First and behind the last; None for all.
        logits: Whether the file leaves the sigmoid to whoever reads it.
    """

    name: str
    turned: bool
    channels: tuple[int, int] | None
    logits: bool = False

    @classmethod
    def read(cls, text: str) -> Part:
        """Read `NAME`, `NAME.T`, `NAME[4:6]` or `NAME.T[4:6]`, each alone or within `sigmoid(...)`."""
        found = _PART.match(text)
        if found is None:
            raise InputError(
                f"an output is written NAME, NAME.T, NAME[FIRST:LAST] or sigmoid(NAME), found {text!r}"
            )
        first, last = found["first"], found["last"]
        channels = None if first is None else (int(first), int(last))
        return cls(found["name"], bool(found["turned"]), channels, bool(found["logits"]))

    def rows(self, outputs: Mapping[str, Floats]) -> Floats:
        """Its rows, float32 [N, C].

        Raises:
            InputError: the file has no such output, or not these channels.
        """
        if self.name not in outputs:
            raise InputError(f"the spec names an output {self.name!r}; the file has {', '.join(outputs)}")
        array = outputs[self.name]
        array = array[0] if array.ndim > 2 and array.shape[0] == 1 else array
        if self.turned:
            array = np.moveaxis(array, 0, -1)
        rows = array.reshape(-1, array.shape[-1])
        if self.logits:
            rows = _sigmoid(rows)
        if self.channels is None:
            return rows
        first, last = self.channels
        if not first < last <= rows.shape[1]:
            raise InputError(
                f"output {self.name} has {rows.shape[1]} channels; the spec asks for {first}:{last}"
            )
        return rows[:, first:last]


def _sigmoid(values: Floats) -> Floats:
    """In double precision, rounded once: Kotlin and JavaScript compute the same number."""
    bounded = np.clip(values.astype(np.float64), -LARGEST_LOGIT, LARGEST_LOGIT)
    return np.asarray(1 / (1 + np.exp(-bounded)), np.float32)


def physical_names(spec: DetectorSpec) -> tuple[str, ...]:
    """The file's outputs that a spec reads, each once: boxes, scores, landmarks, objectness."""
    names = [Part.read(text).name for part in _sources(spec) for text in part]
    return tuple(dict.fromkeys(names))


def logit_names(spec: DetectorSpec) -> tuple[str, ...]:
    """The file's outputs that are read through a sigmoid, each once; none of which other channels are not."""
    parts = [Part.read(text) for texts in _sources(spec) for text in texts]
    plain = {part.name for part in parts if not part.logits}
    return tuple(dict.fromkeys(part.name for part in parts if part.name not in plain))


def without_sigmoids(spec: DetectorSpec) -> DetectorSpec:
    """The same outputs, read as the file stores them."""
    bare: dict[str, Any] = {
        field: tuple(
            text.removeprefix("sigmoid(").removesuffix(")") if Part.read(text).logits else text
            for text in getattr(spec, field)
        )
        for field in ("boxes_from", "scores_from", "landmarks_from", "objectness_from")
    }
    return replace(spec, **bare)


def output_names(found: Sequence[str], spec: DetectorSpec) -> Sequence[str]:
    """What a spec calls a file's outputs: where it names no parts, the order of three says what they are."""
    if spec.boxes_from or spec.scores_from or spec.landmarks_from:
        return found
    return spec.output_names[: len(found)]


def joined(outputs: Mapping[str, Floats], spec: DetectorSpec) -> tuple[Floats, Floats, Floats]:
    """The file's outputs by name -> boxes, scores and landmarks, float32 [1, N, C] each.

    Raises:
        InputError: an output is missing, or parts that belong together have different shapes.
    """
    boxes, scores, landmarks, objectness = (_stacked(parts, outputs) for parts in _sources(spec))
    if boxes is None or scores is None:
        raise InputError("the spec names no output for boxes or for scores")
    if objectness is not None:
        if len(objectness) != len(scores):
            raise InputError(f"{len(objectness)} rows of objectness but {len(scores)} of scores")
        scores = np.concatenate([objectness, scores], axis=1)
    points = np.zeros((len(boxes), 0), np.float32) if landmarks is None else landmarks
    return boxes[None], scores[None], points[None]


def _sources(spec: DetectorSpec) -> list[tuple[str, ...]]:
    boxes, scores, landmarks = spec.output_names
    return [
        spec.boxes_from or (boxes,),
        spec.scores_from or (scores,),
        (spec.landmarks_from or (landmarks,)) if spec.points else (),
        spec.objectness_from,
    ]


def _stacked(parts: Sequence[str], outputs: Mapping[str, Floats]) -> Floats | None:
    rows = [Part.read(text).rows(outputs) for text in parts]
    if len({one.shape[1] for one in rows}) > 1:
        raise InputError(f"outputs {', '.join(parts)} differ in channels: {[one.shape[1] for one in rows]}")
    return np.concatenate(rows) if rows else None
