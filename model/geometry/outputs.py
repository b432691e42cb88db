"""A file's outputs -> the rows that a decoder reads, whatever the file calls and however it cuts them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec

Floats = NDArray[np.float32]
_PART = re.compile(
    r"^((?P<function>sigmoid|dfl)\()?(?P<name>.+?)(?P<turned>\.T)?(\[(?P<first>\d+):(?P<last>\d+)\])?(?(function)\))$"
)
OWN = "own"
"""The decoder that reads outputs by itself."""
LARGEST_LOGIT = 80.0
"""Its sigmoid is 1 in single precision: larger ones, infinite ones too, are read as this."""


@dataclass(frozen=True)
class Part:
    """An output, or some channels of one, as the spec's `*_from` fields write it: `sigmoid(NAME.T[4:6])`.

    Attributes:
        name: Of the file's output.
        turned: Whether channels stand before cells: [1, C, N] or [1, C, H, W].
        channels: First and behind the last; None for all.
        function: What the file leaves to whoever reads it, one of FUNCTIONS; "" for nothing.
    """

    name: str
    turned: bool
    channels: tuple[int, int] | None
    function: str = ""

    @classmethod
    def read(cls, text: str) -> Part:
        """Read `NAME`, `NAME.T`, `NAME[4:6]` or `NAME.T[4:6]`, alone or within `dfl(...)`, `sigmoid(...)`."""
        found = _PART.match(text)
        if found is None:
            raise InputError(
                "an output is written NAME, NAME.T, NAME[FIRST:LAST], sigmoid(NAME) or dfl(NAME), "
                f"found {text!r}"
            )
        first, last = found["first"], found["last"]
        channels = None if first is None else (int(first), int(last))
        return cls(found["name"], bool(found["turned"]), channels, found["function"] or "")

    @classmethod
    def read_all(cls, text: str) -> list[Part]:
        """Read what stands side by side: `NAME|NAME.T[0:2]`."""
        return [cls.read(one) for one in text.split("|")]

    def __str__(self) -> str:
        """As `read` reads it."""
        some = "" if self.channels is None else "[{}:{}]".format(*self.channels)
        text = f"{self.name}{'.T' if self.turned else ''}{some}"
        return f"{self.function}({text})" if self.function else text

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
        first, last = self.channels or (0, rows.shape[1])
        if not first < last <= rows.shape[1]:
            raise InputError(
                f"output {self.name} has {rows.shape[1]} channels; the spec asks for {first}:{last}"
            )
        rows = rows[:, first:last]
        return FUNCTIONS[self.function](rows) if self.function else rows


def _sigmoid(values: Floats) -> Floats:
    """In double precision, rounded once: Kotlin and JavaScript compute the same number."""
    bounded = np.clip(values.astype(np.float64), -LARGEST_LOGIT, LARGEST_LOGIT)
    return np.asarray(1 / (1 + np.exp(-bounded)), np.float32)


def _expected(values: Floats) -> Floats:
    """Logits [N, 4 R] of four sides' distances 0 .. R - 1 -> the expected distances [N, 4].

    Source: Generalized Focal Loss (Li et al., 2020), equation 3: distribution focal loss.
    """
    if values.shape[1] % SIDES:
        raise InputError(f"dfl(...) reads {SIDES} sides of equally many channels, found {values.shape[1]}")
    logits = values.reshape(len(values), SIDES, -1)
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    mean = shares @ np.arange(logits.shape[2], dtype=np.float32) / shares.sum(axis=2)
    return np.asarray(mean, np.float32)


SIDES = 4
FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {"sigmoid": _sigmoid, "dfl": _expected}
"""What may stand around an output: rows [N, C] -> rows."""


def physical_names(spec: DetectorSpec) -> tuple[str, ...]:
    """The file's outputs that a spec reads, each once: boxes, scores, landmarks, objectness."""
    return tuple(dict.fromkeys(part.name for part in _parts(spec)))


def logit_names(spec: DetectorSpec) -> tuple[str, ...]:
    """The file's outputs that are read through a sigmoid, each once; none of which other channels are not."""
    parts = _parts(spec)
    plain = {part.name for part in parts if part.function != "sigmoid"}
    return tuple(dict.fromkeys(part.name for part in parts if part.name not in plain))


def without_sigmoids(spec: DetectorSpec) -> DetectorSpec:
    """The same outputs, read as the file stores them where it leaves logits."""
    bare: dict[str, Any] = {
        field: tuple(_without_sigmoid(text) for text in getattr(spec, field))
        for field in ("boxes_from", "scores_from", "landmarks_from", "objectness_from")
    }
    return replace(spec, **bare)


def _without_sigmoid(text: str) -> str:
    parts = Part.read_all(text)
    return "|".join(str(replace(one, function="") if one.function == "sigmoid" else one) for one in parts)


def computed_names(spec: DetectorSpec) -> tuple[str, ...]:
    """The file's outputs that are read through more than a sigmoid, each once."""
    if spec.decoder == OWN:
        return physical_names(spec)
    return tuple(dict.fromkeys(part.name for part in _parts(spec) if part.function not in ("", "sigmoid")))


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
    if spec.decoder == OWN:
        from model.geometry.decoders.own import decoded

        return decoded({name: outputs[name] for name in physical_names(spec)}, spec)
    boxes, scores, landmarks, objectness = (_stacked(parts, outputs) for parts in _sources(spec))
    if boxes is None or scores is None:
        raise InputError("the spec names no output for boxes or for scores")
    if objectness is not None:
        if len(objectness) != len(scores):
            raise InputError(f"{len(objectness)} rows of objectness but {len(scores)} of scores")
        scores = np.concatenate([objectness, scores], axis=1)
    points = np.zeros((len(boxes), 0), np.float32) if landmarks is None else landmarks
    return boxes[None], scores[None], points[None]


def _parts(spec: DetectorSpec) -> list[Part]:
    return [part for texts in _sources(spec) for text in texts for part in Part.read_all(text)]


def _sources(spec: DetectorSpec) -> list[tuple[str, ...]]:
    boxes, scores, landmarks = spec.output_names
    if spec.decoder == OWN:
        return [spec.boxes_from, spec.scores_from, spec.landmarks_from, spec.objectness_from]
    return [
        spec.boxes_from or (boxes,),
        spec.scores_from or (scores,),
        (spec.landmarks_from or (landmarks,)) if spec.points else (),
        spec.objectness_from,
    ]


def _stacked(parts: Sequence[str], outputs: Mapping[str, Floats]) -> Floats | None:
    rows = [np.hstack([part.rows(outputs) for part in Part.read_all(text)]) for text in parts]
    if len({one.shape[1] for one in rows}) > 1:
        raise InputError(f"outputs {', '.join(parts)} differ in channels: {[one.shape[1] for one in rows]}")
    return np.concatenate(rows) if rows else None
