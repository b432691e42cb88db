"""Whether two files find the same faces, for runtimes that round ties differently."""

from __future__ import annotations

from collections.abc import Sequence

from convert.difference import FACE_SCORE, Runs
from model.foundation.errors import GateError
from model.geometry.boxes import Detections, detect, iou_matrix
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec

SAME_FACE_IOU = 0.5
"""The overlap at which AP counts a face as found."""
LEEWAY = 0.1
"""How far under the threshold a face may score in the other file. A tie rounded the other way grows from
layer to layer: on the demo pictures it moved the scores of faces by 0.04 at most."""


def require_same_faces(
    reference: Runs, candidate: Runs, inputs: Sequence[Pixels], spec: DetectorSpec, what: str
) -> None:
    """Hold a file's faces against those of another, both ways.

    A face above FACE_SCORE in one must be in the other above FACE_SCORE - LEEWAY, at an IoU of SAME_FACE_IOU.

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
            [detect(*one, spec, score) for score in (FACE_SCORE, FACE_SCORE - LEEWAY)] for one in raw
        )
        faces, lost = faces + len(sure), lost + _missing(sure, other_likely)
        others, added = others + len(other_sure), added + _missing(other_sure, likely)
    if lost or added:
        raise GateError(
            f"{what}: {lost} of the integer file's {faces} faces are not found, "
            f"and {added} of {others} faces are not the integer file's"
        )


def _missing(faces: Detections, others: Detections) -> int:
    """How many of `faces` have no counterpart; suppression leaves no two that could share one."""
    overlap = iou_matrix(faces.boxes_xyxy, others.boxes_xyxy)
    return sum(not row.size or float(row.max()) < SAME_FACE_IOU for row in overlap)
