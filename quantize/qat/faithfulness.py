"""The proof: on photographs the integer file computes what the fake-quantized network computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convert.difference import TensorSums
from convert.tflite.graph import RESCALING, Graph, read_graph
from model.foundation.errors import GateError, InputError
from model.geometry.decoders import best_class
from model.geometry.letterbox import Pixels
from model.geometry.outputs import joined, output_names, without_sigmoids
from model.geometry.spec import DetectorSpec
from model.runtime.interpreter import TfliteInterpreter
from model.runtime.running import Answer, open_model
from quantize.qat.mirror.mirror import Mirror

LEAST_SQNR_DB = 35.0
MOST_AP_DIFFERENCE = 0.001
"""A tenth of a point."""
COMPARED_SCORE = 0.3
"""Outputs must agree on anchors that either scores above this: everything that may become a face."""
LEAST_PROBABILITY = 1e-7
"""Single precision tells nothing nearer to 1 apart."""
TRACED = 2
"""Photographs, those that agree worst, on which every tensor of the file is compared."""


@dataclass(frozen=True)
class OutputAgreement:
    """Boxes, scores or landmarks of the file against the mirror's, on anchors that either scores above
    COMPARED_SCORE.

    Attributes:
        sqnr_db: 10 log10(sum m^2 / sum (m - f)^2); None where they are equal.
        equal, within_one_step: Shares of the values of all anchors.
        largest_steps: Largest difference in quantization steps of its output; of 1 / 256 if it is float.
    """

    sqnr_db: float | None
    equal: float
    within_one_step: float
    largest_steps: float


@dataclass(frozen=True)
class Agreement:
    """An integer file against the mirror that it was exported from.

    Attributes:
        photographs, anchors: How many, and how many anchors above COMPARED_SCORE there were on them.
        activations: Integer activations whose scale and zero point were compared.
        other_scales: Names of those that differ.
        outputs: Role by the name that the spec gives it -> agreement.
        first_differences: Tensors that differ though all that they are computed from agree, with the share
            of their values that do: where everything else comes from.
        average_precision: Name of a labelled set -> (mirror, file).
    """

    photographs: int
    anchors: int
    activations: int
    other_scales: tuple[str, ...]
    outputs: dict[str, OutputAgreement]
    first_differences: dict[str, float]
    average_precision: dict[str, tuple[float, float]]


def measure_agreement(
    mirror: Mirror,
    file: Path,
    photographs: Sequence[Pixels],
    precisions: dict[str, tuple[float, float]] | None = None,
) -> Agreement:
    """Compare a file with its mirror.

    Args:
        mirror: With the weights and ranges that went into the file.
        file: The integer TFLite file.
        photographs: uint8 RGB [H, W, 3] of the file's size.
        precisions: Average precision on labelled sets, mirror and file, if it was measured.

    Raises:
        InputError: no photograph, or none with an anchor above COMPARED_SCORE in either.
    """
    graph = read_graph(file)
    compared, other = compare_scales(mirror, graph)
    running = open_model(file)
    pairs = [(mirror.raw(image), running.run(image).values) for image in photographs]
    worst_first = sorted(range(len(pairs)), key=lambda number: _farthest(*pairs[number]), reverse=True)
    spec = mirror.placement.spec
    faces = [np.maximum(*(best_class(one[1][0], spec) for one in pair)) > COMPARED_SCORE for pair in pairs]
    anchors = int(sum(face.sum() for face in faces))
    if not anchors:
        raise InputError("the photographs show no face that the network scores above 0.3: give others")
    steps, stored = _steps(graph, spec), [tuple(_unsquashed(one, mirror) for one in pair) for pair in pairs]
    return Agreement(
        len(photographs),
        anchors,
        compared,
        tuple(other),
        {
            name: _agreement(pairs, faces, place, _in_steps(stored, place, steps[place]))
            for place, name in enumerate(spec.output_names)
            if steps[place].size
        },
        first_differences(mirror, file, graph, [photographs[number] for number in worst_first[:TRACED]]),
        precisions or {},
    )


def require_agreement(agreement: Agreement, what: str) -> None:
    """Stop unless scales are identical, outputs agree and AP is the same.

    Raises:
        GateError: names what differs, and where it begins.
    """
    where = next(iter(agreement.first_differences), "nowhere in particular")
    if agreement.other_scales:
        raise GateError(
            f"{what}: {len(agreement.other_scales)} of {agreement.activations} scales or zero points are not "
            f"those that were trained, {agreement.other_scales[0]} first"
        )
    for name, output in agreement.outputs.items():
        if output.sqnr_db is not None and not output.sqnr_db >= LEAST_SQNR_DB:
            raise GateError(
                f"{what}: {name} agrees with the trained network to {output.sqnr_db:.1f} dB only "
                f"(limit {LEAST_SQNR_DB:g}); differences begin at {where}"
            )
    for name, (mine, theirs) in agreement.average_precision.items():
        if not abs(mine - theirs) <= MOST_AP_DIFFERENCE:
            raise GateError(f"{what}: AP on {name} is {theirs:.4f}, the trained network's {mine:.4f}")


def compare_scales(mirror: Mirror, graph: Graph) -> tuple[int, list[str]]:
    """How many integer activations a file has, and the names of those with another scale or zero point."""
    values = mirror.scales.values()
    mine: dict[str, tuple[float, int]] = {}
    for index, tensor in enumerate(mirror.graph.tensors):
        if tensor.is_integer and tensor.constant is None and tensor.scales is not None:
            scale, zero_point = values.get(index, (torch.tensor(tensor.scales[0]), tensor.zero_point))
            mine[tensor.name] = float(scale.detach()), zero_point
    made = {index for operator in graph.operators for index in operator.outputs}
    theirs = {
        tensor.name: (float(tensor.scales[0]), tensor.zero_point)
        for index, tensor in enumerate(graph.tensors)
        if tensor.is_integer and tensor.scales is not None and index in made
    }
    return len(theirs), [name for name, value in theirs.items() if mine.get(name) != value]


def first_differences(
    mirror: Mirror, file: Path, graph: Graph, photographs: Sequence[Pixels]
) -> dict[str, float]:
    """Name of each tensor where a difference arises -> share of its values that differ.

    The file runs with all its tensors kept; a tensor counts if it differs and nothing that it is computed
    from does.
    """
    interpreter = TfliteInterpreter(file, all_tensors=True, kernels="xnnpack")
    kept = {tensor.index: tensor for tensor in interpreter.tensors}
    numbers = {tensor.name: index for index, tensor in enumerate(mirror.graph.tensors)}
    result: dict[str, float] = {}
    for image in photographs:
        interpreter.run(image)
        with torch.no_grad():
            run = mirror.run(torch.from_numpy(image[None]), keep=True)
        differing: set[int] = set()
        for operator in graph.operators:
            out = operator.outputs[0]
            tensor = graph.tensors[out]
            if operator.kind in RESCALING or tensor.name not in numbers:
                differing.update({out} if differing.intersection(operator.inputs) else ())
                continue
            mine = run.values[numbers[tensor.name]].numpy()
            stored = interpreter.stored(kept[out])
            share = _share(mine, stored, tensor.zero_point if tensor.is_integer else None)
            if share > 0:
                differing.add(out)
                if not differing.intersection(operator.inputs):
                    result[tensor.name] = max(result.get(tensor.name, 0.0), share)
    return result


def _farthest(mine: Answer, theirs: Answer) -> float:
    """Largest difference of two answers' scores."""
    return float(np.abs(mine[1] - theirs[1]).max())


def _share(mine: NDArray[Any], stored: NDArray[Any], zero_point: int | None) -> float:
    """Share of values that differ: integers at all, real numbers by more than rounding."""
    if zero_point is not None:
        return float((mine != stored.astype(np.float32) - zero_point).mean())
    return float((~np.isclose(mine, stored, rtol=1e-3, atol=1e-4)).mean())


def _steps(graph: Graph, spec: DetectorSpec) -> Answer:
    """The quantization step of every value of boxes, scores and landmarks; 1 / 256 of a float output.

    Of scores that the file leaves as logits it is the logits'.
    """
    outputs = [graph.tensors[index] for index in graph.outputs]
    steps = [
        np.full(one.shape, 1 / 256 if one.scales is None else one.scales[0], np.float32) for one in outputs
    ]
    named = dict(zip(output_names([one.name for one in outputs], spec), steps, strict=True))
    return joined(named, without_sigmoids(spec))


def _unsquashed(answer: Answer, mirror: Mirror) -> Answer:
    """Scores as the file stores them: logits where it leaves logits."""
    boxes, scores, landmarks = answer
    bounded = np.clip(scores.astype(np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    logits = np.log(bounded / (1 - bounded)).astype(np.float32)
    return boxes, np.where(mirror.squashed.cpu().numpy(), logits, scores), landmarks


def _in_steps(stored: Sequence[Any], index: int, step: NDArray[np.float32]) -> NDArray[np.float32]:
    """By how many quantization steps every value of a role differs."""
    return np.concatenate([(np.abs(one[index] - other[index]) / step).reshape(-1) for one, other in stored])


def _agreement(
    pairs: Sequence[tuple[Answer, Answer]],
    faces: Sequence[NDArray[np.bool_]],
    index: int,
    steps: NDArray[np.float32],
) -> OutputAgreement:
    sums = TensorSums()
    for (mine, theirs), face in zip(pairs, faces, strict=True):
        sums.add(mine[index][0, face], theirs[index][0, face])
    return OutputAgreement(
        sums.result().sqnr_db,
        float((steps < 0.5).mean()),
        float((steps < 1.5).mean()),
        float(steps.max()),
    )
