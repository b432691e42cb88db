"""The float file as the quantizer is given it: what the passes before it make of it, with the proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.foundation.errors import GateError
from model.geometry.decoders import decoder_of
from model.geometry.letterbox import Pixels
from model.geometry.outputs import joined
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import put_spec, read_model, text, write_model
from model.runtime.interpreter import TfliteInterpreter
from model.runtime.running import Answer, Answers, open_model
from quantize.apply.passes import FLOAT_PASSES
from quantize.apply.passes.separate_outputs import shared_outputs

SUMMED = 1e-5
"""What single precision's order of summing up may move a score by."""


@dataclass(frozen=True)
class FloatFile:
    """A float file to quantize.

    Attributes:
        path: Of the file that convert made, or of what the passes made of it.
        spec: Its spec.
        notes: What the user should know of its outputs, a line each.
    """

    path: Path
    spec: DetectorSpec
    notes: tuple[str, ...] = ()


def through_passes(model: Path, spec: DetectorSpec, photographs: Sequence[Pixels], folder: Path) -> FloatFile:
    """Run FLOAT_PASSES on a float file and prove that they change no answer.

    Args:
        model: The file.
        spec: Its spec.
        photographs: uint8 RGB [H, W, 3] of the spec's size.
        folder: Where the new file is put, if the passes do anything.

    Raises:
        GateError: the new file does not compute the same numbers.
    """
    edited, after = read_model(model), spec
    for each in FLOAT_PASSES:
        after = each(edited, after)
    path = model
    if after != spec:
        path = folder / model.name
        put_spec(edited, after)
        write_model(edited, path)
        _require_same(model, path, spec, after, photographs)
    return FloatFile(path, after, tuple(_notes(spec, after, len(photographs))))


def faces_alone(answers: Answers, spec: DetectorSpec, made: DetectorSpec) -> Answers:
    """Answers of a spec as a file of another spec gives them: without background where it has none."""
    if made.score_channels == spec.score_channels:
        return answers

    def answer(image: Pixels) -> Answer:
        boxes, scores, landmarks = answers(image)
        return boxes, decoder_of(spec).classes(scores[0], spec)[None], landmarks

    return answer


def _notes(before: DetectorSpec, after: DetectorSpec, photographs: int) -> list[str]:
    still = shared_outputs(after)
    cut = [one for one in shared_outputs(before) if one not in still]
    logits = after.scores_from if after.score_channels < before.score_channels else ()
    return [
        *(f"scores are read as {one}, without softmax and background: the same on {photographs} photographs"
          for one in logits),
        *(f"output {one} is cut into its roles, a scale each: the same values on {photographs} photographs"
          for one in cut),
        *(f"output {one} has one scale for all its roles, and more than data movement joins them: see lint"
          for one in still),
    ]  # fmt: skip


def _require_same(
    model: Path, edited: Path, before: DetectorSpec, after: DetectorSpec, photographs: Sequence[Pixels]
) -> None:
    reference, file = faces_alone(open_model(model, before), before, after), TfliteInterpreter(edited)
    names = [text(entry.name) for entry in read_model(edited).signatureDefs[0].outputs]
    for image in photographs:
        if not _same(reference(image), _answer(file, names, image, after)):
            raise GateError(f"{model.name}: the passes before quantization change what it computes")


def _answer(file: TfliteInterpreter, names: Sequence[str], image: Pixels, spec: DetectorSpec) -> Answer:
    """By the signature's names: a float file's tensors keep their layers' names, which recipes go by."""
    file.run(image)
    return joined({name: file.value(one) for name, one in zip(names, file.outputs, strict=True)}, spec)


def _same(first: Any, second: Any) -> bool:
    moved = (0.0, SUMMED, 0.0)
    return all(
        np.allclose(one, other, 0, most) for one, other, most in zip(first, second, moved, strict=True)
    )
