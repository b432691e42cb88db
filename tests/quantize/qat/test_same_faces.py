"""Whether two runtimes find the same faces."""

from __future__ import annotations

import numpy as np
import pytest

from model.foundation.errors import GateError
from model.runtime.running import Answers
from quantize.qat.same_faces import require_same_faces
from tests.conftest import Converted


@pytest.mark.parametrize(
    ("score", "other", "message"),
    [
        (0.52, 0.47, None),
        (0.47, 0.52, None),
        (0.52, 0.38, "1 of the integer file's 2 faces are not found, and 0 of 1"),
        (0.38, 0.52, "0 of the integer file's 1 faces are not found, and 1 of 2"),
    ],
)
def test_a_tie_may_push_a_face_over_the_threshold_and_no_more(
    score: float, other: float, message: str | None, converted: Converted
) -> None:
    def answers(doubtful: float) -> Answers:
        boxes, scores, landmarks = (np.zeros(shape, np.float32) for shape in converted.spec.output_shapes)
        scores[0, 0, -1], scores[0, -1, -1] = 0.9, doubtful  # the first and the last anchor: far apart
        return lambda _: (boxes, scores, landmarks)

    def compare() -> None:
        require_same_faces(answers(score), answers(other), converted.photographs[:1], converted.spec, "it")

    if message is None:
        compare()
    else:
        with pytest.raises(GateError, match=message):
            compare()
