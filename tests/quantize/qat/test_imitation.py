"""What an answer costs that is not the float file's, by roles alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.geometry.spec import DetectorSpec
from quantize.qat.imitation import BETA, BOX_WEIGHT, FEWEST, Wanted

CELLS = DetectorSpec(
    "cells", 32, 64, strides=(8, 16), anchor_sizes=((1,), (1,)), score_channels=1, decoder="cell_distances"
)
N = CELLS.anchor_count
FACE = 5
"""The candidate that shows a face: its cell's corner is (40, 0)."""


def _answers(spec: DetectorSpec = CELLS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One face of 24 x 32 pixels."""
    boxes, scores, landmarks = (np.zeros(shape, np.float32) for shape in spec.output_shapes)
    scores[:], scores[0, FACE] = 0.01, 0.8
    boxes[0, FACE] = 1, 1, 2, 3
    return boxes, scores, landmarks


def _same(answers: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[torch.Tensor]:
    boxes, scores, landmarks = (torch.from_numpy(one.copy()) for one in answers)
    return [boxes, torch.logit(scores.clamp(1e-6, 1 - 1e-6)), landmarks]


def test_the_same_answers_cost_nothing() -> None:
    answers = _answers()
    costs = Wanted.of([answers], CELLS).costs(tuple(_same(answers)))  # type: ignore[arg-type]
    assert all(float(cost) < 1e-4 for cost in costs)


def test_a_lost_face_costs_more_than_a_doubtful_background() -> None:
    found = Wanted.of([_answers()], CELLS)
    costs = []
    for candidate, score in ((FACE, 0.4), (FACE + 1, 0.2)):
        outputs = _same(_answers())
        outputs[1][0, candidate] = torch.logit(torch.tensor(score))
        costs.append(float(found.costs(tuple(outputs))[0]))  # type: ignore[arg-type]
    assert costs[0] > 2 * costs[1] > 0


def test_a_moved_box_costs_what_it_moves_in_the_picture() -> None:
    """An edge a tenth of a stride off is 0.8 pixels, a side is sqrt(24 * 32): by hand."""
    outputs = _same(_answers())
    outputs[0][0, FACE, 0] += 0.1
    outputs[0][0, FACE + 1] += 5  # no face: no matter
    cost = float(Wanted.of([_answers()], CELLS).costs(tuple(outputs))[1])  # type: ignore[arg-type]
    units = 0.8 / (0.1 * np.sqrt(24 * 32))
    assert units < BETA
    assert cost == pytest.approx(BOX_WEIGHT * (units**2 / 2 / BETA) / 4 * 0.8 / FEWEST, rel=1e-3)


def test_a_moved_landmark_costs_less() -> None:
    outputs = _same(_answers())
    outputs[2][0, FACE, 0] += 0.1
    costs = Wanted.of([_answers()], CELLS).costs(tuple(outputs))  # type: ignore[arg-type]
    units = 0.8 / (0.1 * np.sqrt(24 * 32))
    assert float(costs[2]) == pytest.approx((units**2 / 2 / BETA) / 10 * 0.8 / FEWEST, rel=1e-3)
    assert float(costs[1]) == 0


def test_a_score_counts_by_what_it_decides() -> None:
    two = replace(CELLS, score_channels=2)
    boxes, _, landmarks = _answers()
    scores = np.full((1, N, 2), 0.25, np.float32)
    background = Wanted.of([(boxes, scores, landmarks)], two)
    assert background.decides[0, 0].tolist() == [0, 1]  # (background, face)
    factors = Wanted.of([(boxes, scores, landmarks)], replace(two, decoder="cell_sizes"))
    assert factors.decides[0, 0].tolist() == [0.5, 0.5]  # the square root of the other


def test_sizes_as_exponents_cost_what_they_do_to_the_box() -> None:
    spec = replace(CELLS, decoder="cell_sizes")
    boxes, scores, landmarks = _answers()
    boxes[0, FACE] = 0, 0, np.log(4), np.log(4)
    outputs = _same((boxes, scores, landmarks))
    outputs[0][0, FACE, 2] += 0.01  # 32 pixels, 1 % wider: each edge 0.16 pixels
    cost = float(Wanted.of([(boxes, scores, landmarks)], spec).costs(tuple(outputs))[1])  # type: ignore[arg-type]
    units = 0.16 / 3.2
    assert cost == pytest.approx(BOX_WEIGHT * 2 * (units**2 / 2 / BETA) / 4 * 0.8 / FEWEST, rel=1e-2)


def test_without_faces_and_without_landmarks() -> None:
    spec = replace(CELLS, points=0)
    answers = [np.zeros(shape, np.float32) for shape in spec.output_shapes]
    outputs = [torch.zeros(shape, requires_grad=True) for shape in spec.output_shapes]
    costs = Wanted.of([tuple(answers)], spec).costs(tuple(outputs))  # type: ignore[arg-type]
    sum(costs).backward()  # type: ignore[union-attr]
    assert float(costs[0]) > 0 == float(costs[1]) == float(costs[2])
