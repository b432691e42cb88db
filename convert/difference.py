"""How far one stage's outputs are from another's, on photographs, in figures that a detector's user feels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from model.foundation.errors import GateError
from model.geometry.boxes import Detections, detect, iou_matrix
from model.geometry.letterbox import Pixels, network_input
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector

Raw = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

FACE_SCORE = 0.5
SAME_FACE_IOU = 0.9


class Runs(Protocol):
    """Something that turns uint8 RGB [H, W, 3] into boxes, scores and landmarks, float32 [1, N, C] each."""

    def __call__(self, input_rgb: Pixels) -> Raw: ...


def torch_reference(network: Detector, spec: DetectorSpec) -> Runs:
    """The bare PyTorch network, run as its authors do: channel order and mean outside the graph."""

    def run(input_rgb: Pixels) -> Raw:
        with torch.inference_mode():
            boxes, scores, landmarks = network(torch.from_numpy(network_input(input_rgb, spec)))
        return boxes.numpy(), scores.numpy(), landmarks.numpy()

    return run


@dataclass(frozen=True)
class OutputParity:
    """One output of the candidate against the reference's, over all images.

    Attributes:
        max_error: Largest absolute difference.
        sqnr_db: Signal to quantization-noise ratio, 10 log10(sum r^2 / sum (r - c)^2); None if equal.
    """

    max_error: float
    sqnr_db: float | None


@dataclass(frozen=True)
class Parity:
    """A candidate against a reference, over a set of images.

    Attributes:
        images: How many.
        outputs: Name of each output -> its parity.
        anchors: Anchors that the reference scores above 0.5; how many of them the candidate does not
            (`anchors_lost`), and how many it does that the reference does not (`anchors_gained`).
        faces: Faces that the reference finds; how many of them the candidate finds with IoU >= 0.9
            (`faces_kept`), and how many faces it finds in all (`faces_found`).
    """

    images: int
    outputs: dict[str, OutputParity]
    anchors: int
    anchors_lost: int
    anchors_gained: int
    faces: int
    faces_kept: int
    faces_found: int

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return asdict(self)


def measure_parity(reference: Runs, candidate: Runs, inputs: Sequence[Pixels], spec: DetectorSpec) -> Parity:
    """Run both on every input, uint8 RGB [H, W, 3] of the spec's size, and compare."""
    worst, signal, noise = np.zeros((3, 3))
    counts = np.zeros(6, np.int64)
    for image in inputs:
        expected, found = reference(image), candidate(image)
        for index, (a, b) in enumerate(zip(expected, found, strict=True)):
            difference = a.astype(np.float64) - b
            worst[index] = np.maximum(worst[index], np.abs(difference).max())
            signal[index] += float(np.square(a, dtype=np.float64).sum())
            noise[index] += float(np.square(difference).sum())
        counts += _counts(expected, found, spec)
    outputs = {
        name: OutputParity(float(worst[i]), _decibel(signal[i], noise[i]))
        for i, name in enumerate(spec.output_names)
    }
    return Parity(len(inputs), outputs, *(int(count) for count in counts))


def _decibel(signal: float, noise: float) -> float | None:
    return float(10 * np.log10(signal / noise)) if noise and signal else None


def _counts(expected: Raw, found: Raw, spec: DetectorSpec) -> NDArray[np.int64]:
    before, after = expected[1][..., -1] > FACE_SCORE, found[1][..., -1] > FACE_SCORE
    faces, others = (detect(*raw, spec, FACE_SCORE) for raw in (expected, found))
    kept = _matched(faces, others)
    return np.array(
        [before.sum(), (before & ~after).sum(), (after & ~before).sum(), len(faces), kept, len(others)]
    )


def _matched(faces: Detections, others: Detections) -> int:
    """How many of `faces` stand among `others`, each of which counts once."""
    overlap = iou_matrix(faces.boxes_xyxy, others.boxes_xyxy)
    kept = 0
    for row in overlap:
        if row.size and row.max() >= SAME_FACE_IOU:
            kept += 1
            overlap[:, row.argmax()] = 0
    return kept


def require_parity(parity: Parity, limits: dict[str, float], what: str) -> None:
    """Stop unless every named output is within its limit.

    Args:
        parity: What was measured.
        limits: Name of an output -> largest absolute error allowed.
        what: The two stages, for the message.

    Raises:
        GateError: an error is above its limit or not a number; the worst output is named.
    """
    over = {
        name: parity.outputs[name].max_error / limit
        for name, limit in limits.items()
        if not parity.outputs[name].max_error <= limit
    }
    if over:
        name = max(over, key=lambda key: over[key])
        raise GateError(
            f"{what}: worst is {name}, off by {parity.outputs[name].max_error:.3g} on {parity.images} images "
            f"(limit {limits[name]:.3g})"
        )
