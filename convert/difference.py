"""THE answer to "how do A and B differ": value by value of each output, and in faces.

One unit everywhere: A is the reference, errors are |A - B| in the output's own unit, and noise is told in
decibels of A's energy over that of A - B. `convert.tflite.layer_difference` asks the same of every layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.evaluation.face_changes import SHOWN_SCORE, compare_faces
from model.foundation.errors import GateError
from model.geometry.boxes import detect
from model.geometry.decoders import best_class
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.runtime.running import Answer, Answers

SILENT_DB = -150.0
"""Stands for any noise on a reference that is zero everywhere."""
LEEWAY = 0.1
"""How far under the threshold a face may score in the other file. A tie rounded the other way grows from
layer to layer: on the demo pictures it moved the scores of faces by 0.04 at most."""


def decibel(signal: float, noise: float) -> float | None:
    """10 log10(signal / noise) of two energies (sums of squares); None without noise."""
    if not noise:
        return None
    return float(10 * np.log10(signal / noise)) if signal else SILENT_DB


@dataclass(frozen=True)
class TensorDifference:
    """One tensor of B against the same of A, over all images.

    Attributes:
        max_error, mean_error: Largest and mean |A - B|.
        sqnr_db: Signal to quantization-noise ratio, 10 log10(sum A^2 / sum (A - B)^2); None if equal.
        largest: Largest |A|.
        identical: Images on which both are the same to the last bit.
    """

    max_error: float
    sqnr_db: float | None
    mean_error: float = 0.0
    largest: float = 0.0
    identical: int = 0

    @property
    def share(self) -> float:
        """`max_error` as a share of `largest`."""
        if self.largest:
            return self.max_error / self.largest
        return math.inf if self.max_error else 0.0


class TensorSums:
    """Adds up how two tensors differ, image by image."""

    def __init__(self) -> None:
        self._max_error = self._largest = 0.0
        self._signal = self._noise = self._absolute = 0.0
        self._values = self._identical = 0

    def add(self, reference: NDArray[Any], candidate: NDArray[Any]) -> None:
        """Add one image's values: two arrays of one shape, of any real dtype."""
        difference = reference.astype(np.float64) - candidate
        absolute = np.abs(difference)
        noise = float(np.square(difference).sum())
        # np.maximum and not max: a value that is not a number must stay one
        self._max_error = float(np.maximum(self._max_error, absolute.max(initial=0)))
        self._largest = float(np.maximum(self._largest, np.abs(reference).max(initial=0)))
        self._signal += float(np.square(reference, dtype=np.float64).sum())
        self._noise += noise
        self._absolute += float(absolute.sum())
        self._values += reference.size
        self._identical += not noise and reference.tobytes() == candidate.tobytes()

    def result(self) -> TensorDifference:
        """Of all images so far."""
        return TensorDifference(
            self._max_error,
            decibel(self._signal, self._noise),
            self._absolute / max(1, self._values),
            self._largest,
            self._identical,
        )


@dataclass(frozen=True)
class Difference:
    """A candidate against a reference, over a set of images.

    Attributes:
        images: How many.
        outputs: Name of each output -> its difference.
        anchors: Anchors that the reference scores above SHOWN_SCORE; how many of them the candidate does not
            (`anchors_lost`), and how many it does that the reference does not (`anchors_gained`).
        faces: Faces that the reference shows; how many of them the candidate shows unmoved, at IoU >= 0.9
            (`faces_kept`), and how many faces it shows in all (`faces_found`).
    """

    images: int
    outputs: dict[str, TensorDifference]
    anchors: int
    anchors_lost: int
    anchors_gained: int
    faces: int
    faces_kept: int
    faces_found: int


def measure_difference(
    reference: Answers, candidate: Answers, inputs: Sequence[Pixels], spec: DetectorSpec
) -> Difference:
    """Run both on every input, uint8 RGB [H, W, 3] of the spec's size, and compare."""
    sums = {name: TensorSums() for name in spec.output_names}
    counts = np.zeros(6, np.int64)
    for image in inputs:
        expected, found = reference(image), candidate(image)
        for one, a, b in zip(sums.values(), expected, found, strict=True):
            one.add(a, b)
        counts += _counts(expected, found, spec)
    outputs = {name: one.result() for name, one in sums.items()}
    return Difference(len(inputs), outputs, *(int(count) for count in counts))


def _counts(expected: Answer, found: Answer, spec: DetectorSpec) -> NDArray[np.int64]:
    before, after = (best_class(one[1][0], spec) > SHOWN_SCORE for one in (expected, found))
    faces, others = (detect(*raw, spec, SHOWN_SCORE) for raw in (expected, found))
    changes = compare_faces(faces, others)
    kept = len(changes.pairs) - len(changes.moved)
    return np.array(
        [before.sum(), (before & ~after).sum(), (after & ~before).sum(), len(faces), kept, len(others)]
    )


def require_close(outputs: Mapping[str, TensorDifference], limits: Mapping[str, float], what: str) -> None:
    """Stop unless every named output is within its limit.

    Args:
        outputs: What was measured, by name.
        limits: Name of an output -> largest absolute error allowed.
        what: The two stages, for the message.

    Raises:
        GateError: an error is above its limit or not a number; the worst output is named.
    """
    over = {
        name: outputs[name].max_error / limit
        for name, limit in limits.items()
        if not outputs[name].max_error <= limit
    }
    if over:
        name = max(over, key=lambda key: over[key])
        raise GateError(
            f"{what}: worst is {name}, off by {outputs[name].max_error:.3g} (limit {limits[name]:.3g})"
        )


def require_same_faces(
    reference: Answers, candidate: Answers, inputs: Sequence[Pixels], spec: DetectorSpec, what: str
) -> None:
    """Hold a file's faces against those of another, both ways.

    A face above SHOWN_SCORE in one must be in the other above SHOWN_SCORE - LEEWAY, with boxes of one
    face.

    Args:
        reference, candidate: The two.
        inputs: uint8 RGB [H, W, 3] of the spec's size.
        spec: How to decode.
        what: The candidate, for the message.

    Raises:
        GateError: with the counts.
    """
    faces, lost, others, added = 0, 0, 0, 0
    for image in inputs:
        raw = reference(image), candidate(image)
        (sure, likely), (other_sure, other_likely) = (
            [detect(*one, spec, score) for score in (SHOWN_SCORE, SHOWN_SCORE - LEEWAY)] for one in raw
        )
        faces, lost = faces + len(sure), lost + len(compare_faces(sure, other_likely).lost)
        others, added = others + len(other_sure), added + len(compare_faces(other_sure, likely).lost)
    if lost or added:
        raise GateError(
            f"{what}: {lost} of the integer file's {faces} faces are not found, "
            f"and {added} of {others} faces are not the integer file's"
        )
