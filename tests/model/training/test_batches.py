from dataclasses import replace

import numpy as np
import pytest
import torch

from model.foundation.errors import InputError
from model.training.batches import Batches
from model.training.teacher.scrfd import Scrfd
from tests.model.training.conftest import SMALL


def same(first, second):
    assert torch.equal(first.pixels, second.pixels)
    assert torch.equal(first.faces.boxes_xyxy, second.faces.boxes_xyxy)
    assert (first.teacher is None) == (second.teacher is None)
    assert first.teacher is None or torch.equal(first.teacher, second.teacher)


def test_a_batch_depends_on_the_seed_and_the_step_alone(drawn_album, small_teacher):
    choice, teacher = np.arange(len(drawn_album)), Scrfd(small_teacher).eval()
    recipe = replace(SMALL, trust=0.5)
    source = Batches(drawn_album, choice, recipe, "cpu", teacher)
    first = [source.batch(step) for step in (5, 6, 7)]
    for batch, again in zip(first, source.from_step(5), strict=False):
        same(batch, again)
    for batch, again in zip(first, source.from_step(5, workers=1), strict=False):
        same(batch, again)
    other = Batches(drawn_album, choice, replace(recipe, seed=2), "cpu", teacher).batch(5)
    assert not torch.equal(first[0].pixels, other.pixels)


def test_the_teacher_is_asked_while_it_is_trusted(drawn_album, small_teacher):
    recipe = replace(SMALL, trust=0.5, trusted=0.5)
    source = Batches(drawn_album, np.arange(40), recipe, "cpu", Scrfd(small_teacher).eval())
    assert source.batch(0).teacher.shape == (50, 168)
    assert source.batch(recipe.steps - 1).teacher is None
    assert source.drawn(np.random.default_rng(0), 96, 3).pixels.shape == (3, 96, 96, 3)


def test_the_teacher_looks_at_the_same_place(drawn_album, small_teacher):
    """Its anchors stand on the cells' corners, the network's in their middle: the picture is moved."""
    teacher = Scrfd(small_teacher).eval()
    source = Batches(drawn_album, np.arange(40), replace(SMALL, trust=0.5), "cpu", teacher)
    views = source[0]
    moved = np.zeros_like(views.clean)
    moved[:, :-4, :-4] = views.clean[:, 4:, 4:]
    with torch.no_grad():
        wanted = teacher(torch.from_numpy(moved).permute(0, 3, 1, 2).float())[0]
    assert torch.allclose(source.answered(views).teacher, wanted, atol=0.05), "up to half precision"


def test_what_cannot_be_trained(drawn_album, small_teacher):
    with pytest.raises(InputError, match="no photograph to train on"):
        Batches(drawn_album, np.zeros(0, np.int64), SMALL)
    with pytest.raises(InputError, match="other anchors"):
        teacher = Scrfd(small_teacher).eval()
        Batches(drawn_album, np.arange(4), replace(SMALL, network="retinaface"), "cpu", teacher)
