"""The verdict on files: where good ends, where dead begins, and what is judged."""

from __future__ import annotations

import pytest

from convert.difference import Difference
from convert.verdict import parity_facts, verdict_of


def difference(faces: int, kept: int, found: int) -> Difference:
    return Difference(24, {}, 0, 0, 0, faces, kept, found)


@pytest.mark.parametrize(
    ("faces", "kept", "found", "grade", "reason"),
    [
        (0, 0, 0, "look at it", "no face in the 24 photographs to judge by"),
        (0, 0, 9, "look at it", "no face in the 24 photographs to judge by, yet it shows 9"),
        (34, 34, 34, "good", "keeps 34 of 34 faces"),
        (34, 32, 36, "good", "keeps 32 of 34 faces and shows 36 in all"),
        (10, 9, 10, "good", "keeps 9 of 10 faces"),
        (10, 10, 11, "good", "keeps 10 of 10 faces and shows 11 in all"),
        (100, 89, 89, "look at it", "keeps 89 of 100 faces"),
        (10, 10, 12, "look at it", "keeps 10 of 10 faces and shows 12 in all"),
        (10, 5, 5, "look at it", "keeps 5 of 10 faces"),
        (100, 49, 49, "dead", "keeps 49 of 100 faces"),
        (34, 0, 0, "dead", "keeps 0 of 34 faces"),
        (10, 10, 20, "look at it", "keeps 10 of 10 faces and shows 20 in all"),
        (10, 10, 21, "dead", "keeps 10 of 10 faces and shows 21 in all"),
    ],
)
def test_the_faces_decide(faces: int, kept: int, found: int, grade: str, reason: str) -> None:
    verdict = verdict_of({"torch": difference(faces, kept, found)})
    assert verdict is not None
    assert (verdict.grade, verdict.reason) == (grade, reason)


def test_pytorch_is_asked_first_and_nobody_where_nothing_was_measured() -> None:
    both = {"float32": difference(9, 9, 9), "torch": difference(9, 0, 0)}
    assert parity_facts(both)["verdict"] == {"grade": "dead", "reason": "keeps 0 of 9 faces"}
    alone = verdict_of({"onnx": difference(9, 0, 0), "float32": difference(9, 9, 9)})
    assert alone is not None
    assert alone.grade == "good"
    assert verdict_of({"onnx": difference(9, 9, 9)}) is None
