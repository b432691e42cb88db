"""What a network in quantization-aware training learns from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch

from model.checkpoint import load_checkpoint
from model.networks import spec_of
from model.runtime.running import TorchModel
from quantize.qat.plan import Schedule
from quantize.qat.teaching import Material, photographs_of
from tests.conftest import EMBEDDED


def test_distillation_needs_no_labels(demo_set: Path, tmp_path: Path) -> None:
    spec = spec_of("featherface_v2", 320, 320)
    teacher = TorchModel(load_checkpoint(EMBEDDED, "featherface_v2").network, spec)
    folder = tmp_path / "unlabelled"
    shutil.copytree(demo_set / "calibration" / "images", folder)
    material = Material([folder])
    assert material.aside(24) == {}
    lessons = material.lessons({320: teacher}, Schedule(seed=0))
    lesson = lessons(np.random.default_rng(3), 320, 2)
    assert lesson.pixels.shape == (2, 320, 320, 3)
    again = lessons(np.random.default_rng(3), 320, 2)
    torch.testing.assert_close(lesson.pixels, again.pixels, rtol=0, atol=0)
    blank = tuple(torch.zeros(2, spec.anchor_count, channels) for channels in (4, 1, 10))
    costs = [lesson.cost(blank), again.cost(blank)]
    assert all(float(part) > 0 for part in costs[0])  # the teacher's answers are what is learned
    assert [float(part) for part in costs[0]] == [float(part) for part in costs[1]]


def test_photographs_held_aside_are_looked_at(demo_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "labelled"
    shutil.copytree(demo_set / "evaluation", folder)
    everything = photographs_of(folder)
    aside = Material([folder]).aside(1)
    assert set(aside) <= {"labelled"}
    assert {image.name for images in aside.values() for image in images} < {one.name for one in everything}
    assert all(len(images) == 1 for images in aside.values())
