"""Whether two files find the same faces, for runtimes that round ties differently."""

from __future__ import annotations

from collections.abc import Sequence

from model.evaluation.face_changes import SHOWN_SCORE, compare_faces
from model.foundation.errors import GateError
from model.geometry.boxes import detect
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.runtime.running import Answers

LEEWAY = 0.1
"""How far under the threshold a face may score in the other file. A tie rounded the other way grows from
layer to layer: on the demo pictures it moved the scores of faces by 0.04 at most."""


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
