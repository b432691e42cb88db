"""What an app holds its pictures against, counted by hand on made-up outputs."""

from __future__ import annotations

import numpy as np
import pytest

from model.geometry.spec import DetectorSpec
from model.runtime.running import RawOutputs
from quantize.apply.output_statistics import SCORE_EDGES, OutputStatistics, PictureOutputs

SPEC = DetectorSpec(
    "cells", 32, 32, strides=(16,), anchor_sizes=((1,),), decoder="boxes:corners", score_channels=1, points=0
)


def _outputs(stored: list[int], dtype: type[np.generic] = np.uint8) -> RawOutputs:
    """Four cells; a score is the stored integer / 250, boxes stand in the middle of their range."""
    boxes = np.full((1, 4, 4), 50, dtype)
    integers = np.asarray(stored, dtype).reshape(1, 4, 1)
    scores = integers.astype(np.float32) / np.float32(250)
    values = (boxes.astype(np.float32), scores, np.zeros((1, 4, 0), np.float32))
    return RawOutputs((boxes, integers), values)


def test_a_picture_is_counted() -> None:
    found = PictureOutputs.of(_outputs([0, 1, 125, 255]), SPEC)
    by_hand = [0] * (len(SCORE_EDGES) + 1)
    by_hand[0] = 1
    by_hand[1] = 1  # 1 / 250 is the first edge, which belongs to the bin above
    by_hand[SCORE_EDGES.index(0.5) + 1] = 1
    by_hand[-1] = 1
    assert found.score_counts == tuple(by_hand)
    assert found.surest == pytest.approx(1.02)
    assert found.saturated_share == 2 / 20


def test_floats_are_never_saturated() -> None:
    assert PictureOutputs.of(_outputs([0, 1, 2, 255], np.float32), SPEC).saturated_share == 0


def test_the_statistics_are_of_all_pictures() -> None:
    pictures = [PictureOutputs.of(_outputs([0, 0, 0, top]), SPEC) for top in (20, 100, 150, 200, 250)]
    found = OutputStatistics.of(pictures, SPEC)
    assert found is not None
    assert found.images == 5
    assert found.score_shares[0] == 15 / 20
    assert sum(found.score_shares) == pytest.approx(1)
    # 20 / 250 is no possible face; of 0.4, 0.6, 0.8 and 1 a quarter is below 0.55.
    assert found.possible_face == 0.25
    assert found.surest_lower_quartile == pytest.approx(0.55)
    assert found.saturated_share == pytest.approx(3 / 20)


def test_pictures_without_a_possible_face_say_nothing() -> None:
    assert OutputStatistics.of([], SPEC) is None
    assert OutputStatistics.of([PictureOutputs.of(_outputs([1, 2, 3, 4]), SPEC)], SPEC) is None
