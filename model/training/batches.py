"""Batches: a function of the seed and the step alone, so that a resumed run sees what it would have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.foundation.artifact import read_json
from model.foundation.errors import InputError
from model.training.crops import (
    STEP,
    Crop,
    Targets,
    answer_targets,
    correct,
    crop_faces,
    label_targets,
    teacher_targets,
)
from model.training.degrade import degrade
from model.training.photographs import Photograph, photograph_sizes, trainable
from model.training.teacher import Teacher
from model.training.teaching import MANIFEST, shards
from model.training.views import TILE, VIEW, VIEW_DTYPE, draw_view, truth_of

SIDES = (256, 320, 384, 448, 640)
SIDE_SHARES = (0.05, 0.38, 0.10, 0.12, 0.35)
"""How often a batch has each input size; larger ones have fewer pictures, so that all cost the same."""


@dataclass(frozen=True)
class Batch:
    """Pictures and targets of one step.

    Attributes:
        pixels: uint8 [B, S, S, 3], RGB.
        face, face_weight, box_weight, landmark_weight: float32 [B, N].
        boxes, landmarks: float32 [B, N, 4] and [B, N, 10].
        features: What the teacher's heads read, a map [B, C, S/8, S/8] (16, 32) a level; none if the
            teacher's answers come from the cache.
    """

    pixels: Tensor
    face: Tensor
    face_weight: Tensor
    boxes: Tensor
    box_weight: Tensor
    landmarks: Tensor
    landmark_weight: Tensor
    features: tuple[Tensor, ...] = ()

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        features = tuple(level.to(device, non_blocking=True) for level in values.pop("features"))
        moved = {name: value.to(device, non_blocking=True) for name, value in values.items()}
        return Batch(**moved, features=features)

    def __len__(self) -> int:
        return len(self.pixels)


class BatchSource(Protocol):
    """Where the loop takes its batches from."""

    def batch(self, step: int) -> Batch:
        """The batch of a step; the same for the same step, from whichever thread it is asked."""


MOST_CROPS = 4
"""Crops of one fresh view in a batch: rendering costs more than cutting."""


def draw_side(draw: np.random.Generator, pictures: int) -> tuple[int, int]:
    """An input size and how many pictures of it make a batch worth `pictures` of TILE pixels."""
    side = int(draw.choice(SIDES, p=SIDE_SHARES))
    return side, max(2, round(pictures * TILE * TILE / (side * side)))


def draw_crop(draw: np.random.Generator, side: int, mosaic: bool) -> Crop:
    """A crop of a view; half of those of a mosaic are exactly one of its tiles, where the size allows."""
    free = (VIEW - side) // STEP + 1
    left, top = (int(v) * STEP for v in draw.integers(free, size=2))
    mirrored = bool(draw.random() < 0.5)
    if mosaic and side == TILE and draw.random() < 0.5:
        left, top = (TILE if draw.random() < 0.5 else 0), (TILE if draw.random() < 0.5 else 0)
    return Crop(left, top, side, mirrored)


def cut(values: NDArray[Any], crop: Crop) -> NDArray[Any]:
    """A crop of an array [VIEW, VIEW, ...], mirrored if it is."""
    piece = values[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    return np.ascontiguousarray(piece[:, ::-1] if crop.mirrored else piece)


def stack(
    pixels: Sequence[NDArray[np.uint8]], targets: Sequence[Targets], features: tuple[Tensor, ...] = ()
) -> Batch:
    """Join the pictures of a batch."""

    def joined(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(one, name) for one in targets]))

    return Batch(
        torch.from_numpy(np.stack(pixels)),
        joined("face"),
        joined("face_weight"),
        joined("boxes"),
        joined("box_weight"),
        joined("landmarks"),
        joined("landmark_weight"),
        features,
    )


class _ViewFolder:
    """The finished shards of one folder."""

    def __init__(self, folder: Path, photographs: Sequence[Photograph]) -> None:
        manifest = read_json(folder / MANIFEST)
        known = {photograph.key: photograph for photograph in photographs}
        keys = manifest["photographs"]
        if absent := [key for key in keys if key not in known]:
            raise InputError(
                f"{folder} shows {len(absent)} photographs that the data folders lack, {absent[0]} first: "
                "name the same data folders as for 'teach'"
            )
        self.folder = folder
        self.photographs = [known[key] for key in keys]
        self.shards: list[NDArray[np.void]] = []

    def refresh(self) -> None:
        paths = shards(self.folder)
        if not paths:
            raise InputError(f"{self.folder} holds no views: run 'python -m model teach' first")
        for path in paths[len(self.shards) :]:
            shard = np.load(path, mmap_mode="r")
            if shard.dtype != VIEW_DTYPE:
                raise InputError(
                    f"{path} is no shard of views of this version: delete the folder and teach again"
                )
            self.shards.append(shard)


class CachedViews:
    """Crops of a teacher's cached views, corrected by the labels.

    Args:
        folders: Of the shards that `teach` wrote; those there now are used, later ones after `refresh`.
            All views are drawn equally often, whichever folder they are in.
        photographs: Where the views' photographs are looked up, by key.
        seed: Of the crops.
        pictures: Of TILE x TILE pixels a batch; see `draw_side`.
        temperature: See `answer_targets`.

    Raises:
        InputError: a folder holds no views, or views of photographs that are not in `photographs`.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        photographs: Sequence[Photograph],
        seed: int,
        pictures: int = 16,
        temperature: float = 1.0,
    ) -> None:
        self.folders = [_ViewFolder(folder, photographs) for folder in folders]
        self.seed, self.pictures, self.temperature = seed, pictures, temperature
        self.refresh()

    def refresh(self) -> None:
        """Take in shards that were finished since."""
        for folder in self.folders:
            folder.refresh()
        self.shards = [(shard, folder.photographs) for folder in self.folders for shard in folder.shards]
        self.ends = np.cumsum([len(shard) for shard, _ in self.shards])

    def __len__(self) -> int:
        """Number of views."""
        return int(self.ends[-1])

    def batch(self, step: int) -> Batch:
        draw = np.random.default_rng((self.seed, step))
        side, count = draw_side(draw, self.pictures)
        pixels, targets = [], []
        for index in draw.integers(len(self), size=count):
            shard = int(np.searchsorted(self.ends, index, side="right"))
            views, photographs = self.shards[shard]
            picture, target = self._sample(views[int(index) - int(self.ends[shard])], photographs, side, draw)
            pixels.append(picture)
            targets.append(target)
        return stack(pixels, targets)

    def _sample(
        self, view: np.void, photographs: Sequence[Photograph], side: int, draw: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Targets]:
        tiles = view["tiles"]
        crop = draw_crop(draw, side, bool((tiles["photograph"] >= 0).sum() > 1))
        picture = cut(view["pixels"], crop)
        target = teacher_targets(view, crop, self.temperature)
        correct(target, crop_faces(truth_of(tiles, photographs), crop), side)
        return degrade(picture, draw), target


class FreshViews:
    """Crops of views that are rendered for each batch: for labels alone, or with the teacher at hand.

    Args:
        photographs: To draw from; the held-aside ones are left out here. Without a teacher the
            unlabelled ones are, too.
        seed: Of views and crops.
        pictures: Of TILE x TILE pixels a batch; see `draw_side`.
        teacher: Answers for each crop, if given; the labels correct it.
        temperature: See `answer_targets`.
        corrected: Whether labels correct the teacher; without, they only say where to look.

    Raises:
        InputError: no photograph is left.
    """

    def __init__(
        self,
        photographs: Sequence[Photograph],
        seed: int,
        pictures: int = 16,
        teacher: Teacher | None = None,
        temperature: float = 1.0,
        *,
        corrected: bool = True,
    ) -> None:
        self.photographs = trainable([p for p in photographs if p.labelled or teacher is not None])
        self.sizes = photograph_sizes(self.photographs)
        self.seed, self.pictures = seed, pictures
        self.teacher, self.temperature, self.corrected = teacher, temperature, corrected

    def batch(self, step: int) -> Batch:
        draw = np.random.default_rng((self.seed, step))
        return self.drawn(draw, *draw_side(draw, self.pictures))

    def drawn(self, draw: np.random.Generator, side: int, count: int) -> Batch:
        """A batch of `count` pictures of `side` pixels (a multiple of the largest stride, at most VIEW)."""
        view = np.zeros(1, VIEW_DTYPE)[0]
        crops = min(MOST_CROPS, (VIEW // side) ** 2)
        pictures, insides, faces = [], [], []
        for index in range(count):
            if index % crops == 0:
                inside = draw_view(draw, self.photographs, self.sizes, view)
                truth = truth_of(view["tiles"], self.photographs)
            crop = draw_crop(draw, side, bool((view["tiles"]["photograph"] >= 0).sum() > 1))
            pictures.append(cut(view["pixels"], crop))
            insides.append(cut(inside, crop))
            faces.append(crop_faces(truth, crop))
        targets, features = self._targets(pictures, insides, side)
        if self.corrected:
            for target, marked in zip(targets, faces, strict=True):
                correct(target, marked, side)
        return stack([degrade(picture, draw) for picture in pictures], targets, features)

    def _targets(
        self, pictures: Sequence[NDArray[np.uint8]], insides: Sequence[NDArray[np.bool_]], side: int
    ) -> tuple[list[Targets], tuple[Tensor, ...]]:
        if self.teacher is None:
            return [label_targets(side) for _ in pictures], ()
        answers = self.teacher.ask(np.stack(pictures), np.stack(insides))
        each = zip(answers.boxes, answers.logits, answers.landmarks, strict=True)
        return [answer_targets(*one, self.temperature) for one in each], answers.features
