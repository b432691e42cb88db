"""The outputs of several pictures by their roles, against what a running file says of each picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from convert.tflite.graph import read_graph
from model.foundation.errors import InputError
from model.runtime.flatbuffer import spec_inside
from model.runtime.running import open_model
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import prepared
from quantize.calibrate.meter import measure_ranges
from quantize.qat.faithfulness import measure_agreement
from quantize.qat.mirror.mirror import Mirror, Weights
from quantize.qat.mirror.roles import Roles
from quantize.qat.mirror.scales import Scales, find_placement
from quantize.recipe import read_recipe
from tests.quantize.qat.conftest import INT8


def test_outputs_in_parts_are_the_running_files(
    foreign: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    pictures = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
    recipe, file = read_recipe(INT8), tmp_path / "int8.tflite"
    bounds = prepared(measure_ranges(foreign, list(pictures)), "min_max", foreign)
    apply_recipe(recipe, foreign, bounds, file)
    placement = find_placement(foreign, recipe)
    mirror = Mirror(placement, Weights.of(placement), Scales(placement, bounds))
    with torch.no_grad():
        together = mirror.answer(torch.from_numpy(pictures))
        boxes, logits, landmarks = mirror(torch.from_numpy(pictures))
    running = open_model(file)
    for number, picture in enumerate(pictures):
        for mine, theirs in zip(together, running(picture), strict=True):
            np.testing.assert_array_equal(mine[number].numpy(), theirs[0])
    assert logits.shape == (3, 20, 2)
    assert float((torch.sigmoid(logits) - together[1]).abs().max()) < 0.51 / 256
    torch.testing.assert_close(boxes, together[0])
    assert landmarks.shape == (3, 20, 0)


def test_scores_left_as_logits_are_read_as_probabilities(
    foreign_logits: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    pictures = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
    recipe, file = read_recipe(INT8), tmp_path / "int8.tflite"
    bounds = prepared(measure_ranges(foreign_logits, list(pictures)), "min_max", foreign_logits)
    apply_recipe(recipe, foreign_logits, bounds, file)
    placement = find_placement(foreign_logits, recipe)
    mirror = Mirror(placement, Weights.of(placement), Scales(placement, bounds))
    assert mirror.squashed.tolist() == [[False, True]] * 20  # objectness comes from a LOGISTIC
    with torch.no_grad():
        _, logits, _ = mirror(torch.from_numpy(pictures))
    running = open_model(file)
    for number, picture in enumerate(pictures):
        np.testing.assert_array_equal(mirror.raw(picture)[1], running(picture)[1])
        np.testing.assert_allclose(
            1 / (1 + np.exp(-logits[number, :, 1].numpy())), running(picture)[1][0, :, 1], atol=1e-6
        )
    assert all(one.equal == 1 for one in measure_agreement(mirror, file, list(pictures)).outputs.values())


def test_boxes_through_a_sigmoid_are_refused(foreign: Path) -> None:
    spec = spec_inside(foreign)
    assert spec is not None
    read = tuple(f"sigmoid({name})" for name in spec.boxes_from)
    with pytest.raises(InputError, match=r"boxes or landmarks are read through sigmoid"):
        Roles(read_graph(foreign), replace(spec, boxes_from=read))
    read = tuple(f"dfl({name})" for name in spec.boxes_from)
    with pytest.raises(InputError, match=r"read through more than a sigmoid"):
        Roles(read_graph(foreign), replace(spec, boxes_from=read))
