"""THE verdict on a made file: can it be used, judged by the faces that it keeps.

Errors and decibels say how far outputs are; a user asks whether the detector still finds faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from convert.difference import Difference
from model.foundation.records import to_json

Grade = Literal["good", "look at it", "dead"]

STAGES = ("torch", "simplified_to_torch", "foreign", "float32")
"""What a file is judged against, the first that was measured: PyTorch, the foreign TFLite file that it was
made of, or, of a file whose checkpoint was not at hand, the float file."""

GOOD_KEPT, DEAD_KEPT = 0.9, 0.5
"""Shares of the reference's faces that a good file keeps at least, and that a dead one keeps less of."""
GOOD_EXTRA, DEAD_EXTRA = 0.1, 1.0
"""Faces shown beyond as many as the reference's, as a share: a good file at most, a dead one more."""


@dataclass(frozen=True)
class Verdict:
    """What a user is told of a file: "good", "look at it" or "dead", and why in one phrase."""

    grade: Grade
    reason: str


def verdict_of(parity: Mapping[str, Difference]) -> Verdict | None:
    """Judge a file by how it differs from what it was made from; None where that was not measured.

    Args:
        parity: Stage -> difference, as the record of the file has it.
    """
    found = judged_difference(parity)
    return None if found is None else _judge(found)


def judged_difference(parity: Mapping[str, Difference]) -> Difference | None:
    """The difference that the verdict rests on."""
    return next((parity[stage] for stage in STAGES if stage in parity), None)


def parity_facts(parity: Mapping[str, Difference]) -> dict[str, Any]:
    """The fields "parity" and "verdict" of a file's record."""
    return {"parity": to_json(parity), "verdict": to_json(verdict_of(parity))}


def _judge(found: Difference) -> Verdict:
    if not found.faces:
        return _without_faces(found)
    kept, extra = found.faces_kept / found.faces, (found.faces_found - found.faces) / found.faces
    reason = f"keeps {found.faces_kept} of {found.faces} faces"
    if extra > 0:
        reason += f" and shows {found.faces_found} in all"
    if kept < DEAD_KEPT or extra > DEAD_EXTRA:
        return Verdict("dead", reason)
    return Verdict("good" if kept >= GOOD_KEPT and extra <= GOOD_EXTRA else "look at it", reason)


def _without_faces(found: Difference) -> Verdict:
    where = f"no face in the {found.images} photographs to judge by"
    if found.faces_found:
        where += f", yet it shows {found.faces_found}"
    return Verdict("look at it", where)
