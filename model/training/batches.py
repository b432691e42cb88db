"""Batches: a function of the seed and the step alone, so that a resumed run sees what it would have seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels
from model.networks import spec_of
from model.training.captured import Captured
from model.training.recipe import BASE, Recipe
from model.training.samples.album import Album
from model.training.samples.degrade import degrade
from model.training.samples.views import ViewFaces, faces_of, plan_views, render
from model.training.teacher.scrfd import ANCHOR_SIZES, STRIDES, Scrfd


@dataclass(frozen=True, eq=False)
class Batch:
    """Views of one step.

    Attributes:
        pixels: uint8 [B, S, S, 3], RGB, damaged.
        faces: What is in them.
        teacher: Logits of a face [B, N] of a teacher that saw them undamaged; None without one.
    """

    pixels: Tensor
    faces: ViewFaces
    teacher: Tensor | None


@dataclass(frozen=True, eq=False)
class Views:
    """Views of one step before anybody looked.

    Attributes:
        clean: uint8 [B, S, S, 3], RGB; None where nobody will look at them undamaged.
        pixels: The same, damaged.
        faces: What is in them.
    """

    clean: Pixels | None
    pixels: Pixels
    faces: ViewFaces


class Batches(torch.utils.data.Dataset[Views]):
    """Makes the batches of a training.

    Args:
        album: The photographs.
        choice: Numbers of the photographs to choose from.
        recipe: Says sizes, number and seed.
        device: Where the batches shall be.
        teacher: On that device; answers for each view, if given.

    Raises:
        InputError: there is nothing to choose from, or the teacher has other anchors than the network.
    """

    def __init__(
        self,
        album: Album,
        choice: NDArray[np.int64],
        recipe: Recipe,
        device: str = "cpu",
        teacher: Scrfd | None = None,
    ) -> None:
        if not len(choice):
            raise InputError("no photograph to train on: the folders are empty, or all are held aside")
        spec = spec_of(recipe.network, BASE, BASE)
        if teacher is not None and (spec.strides, spec.anchor_sizes) != (STRIDES, ANCHOR_SIZES):
            raise InputError(
                f"{recipe.network} has other anchors than the teacher: train it from marks alone, without one"
            )
        self.album, self.choice, self.recipe = album, choice, recipe
        self.device = torch.device(device)
        self.teacher = None if teacher is None else Captured(teacher)

    def __getitem__(self, step: int) -> Views:
        draw = np.random.default_rng((self.recipe.seed, step))
        side = int(draw.choice(self.recipe.sides, p=self.recipe.side_shares))
        views = self._views(draw, side, self.recipe.views_of(side))
        return views if self.recipe.trust_at(step) > 0 else replace(views, clean=None)

    def _views(self, draw: np.random.Generator, side: int, count: int) -> Views:
        plan = plan_views(draw, self.album, self.choice, side, count)
        clean = render(plan, self.album, side)
        damaged = np.stack([degrade(view, draw) for view in clean])
        return Views(clean, damaged, faces_of(plan, self.album, side))

    def batch(self, step: int) -> Batch:
        """The batch of a step; the same for the same step."""
        return self.answered(self[step])

    def drawn(self, draw: np.random.Generator, side: int, count: int) -> Batch:
        """A batch of `count` views of `side` pixels, by random numbers from elsewhere."""
        return self.answered(self._views(draw, side, count))

    def from_step(self, first: int, workers: int = 0) -> Iterator[Batch]:
        """The batches of step `first` and after, without end; drawn ahead in `workers` other processes."""
        cv2.setNumThreads(1)  # threads of this process are not in those that are forked from it
        loader = torch.utils.data.DataLoader(
            self,
            batch_size=None,
            sampler=_Steps(first),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
        )
        for views in loader:
            yield self.answered(views)

    def answered(self, views: Views) -> Batch:
        """Bring views to the device, and ask the teacher."""
        pixels = torch.from_numpy(views.pixels).to(self.device, non_blocking=True)
        teacher = None
        if self.teacher is not None and views.clean is not None:
            teacher = self._asked(self.teacher, torch.from_numpy(views.clean).to(self.device))
        return Batch(pixels, views.faces.to(self.device), teacher)

    def _asked(self, teacher: Captured, clean: Tensor) -> Tensor:
        """The teacher's logits where the network's anchors stand: its own stand on the cells' corners.

        Half of the smallest stride is right at that stride and close enough, for their size, at the others.
        """
        half = STRIDES[0] // 2
        moved = F.pad(clean.permute(0, 3, 1, 2)[..., half:, half:].float(), (0, half, 0, half))
        with torch.no_grad():
            logits: Tensor = teacher(moved)[0]
        return logits.float()


class _Steps(torch.utils.data.Sampler[int]):
    """Numbers from one on, without end."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return count(self.first)
