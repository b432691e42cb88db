"""Where batches come from: folders of photographs and a file of a teacher's answers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from calibration_data.images import load_rgb
from model.foundation.command_line.progress import tracked
from model.foundation.errors import InputError
from model.geometry.boxes import Detections
from model.training.batches import Batches
from model.training.recipe import Recipe
from model.training.samples.album import Album, Faces
from model.training.samples.photographs import Photograph, unique
from model.training.teacher.answers import load_answers, settle
from model.training.teacher.scrfd import Scrfd

LARGEST = 640
"""Photographs are kept with at most so many pixels a side, and views have at most so many."""


def open_album(photographs: Sequence[Photograph]) -> tuple[Album, list[float]]:
    """Read photographs, shrunk to LARGEST; and the scale of each."""
    scales: list[float] = []

    def fitted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        scales.append(min(1.0, LARGEST / max(image.shape[:2])))
        if scales[-1] == 1:
            return image
        size = [max(1, round(side * scales[-1])) for side in image.shape[1::-1]]
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        images = pool.map(load_rgb, [photograph.image.path for photograph in photographs])
        album = Album.of(fitted(image) for image in tracked(images, "photographs", len(photographs)))
    return album, scales


def faces_in(photograph: Photograph, scale: float, found: Detections | None) -> Faces:
    """The faces of a photograph that stands in an album at a scale."""
    image, factor = photograph.image, np.float32(scale)
    return settle(
        image.boxes_xyxy * factor, image.landmarks * factor, image.ignore, photograph.labelled, found
    )


def source_of(
    photographs: Sequence[Photograph],
    recipe: Recipe,
    answers: Path | None = None,
    device: str = "cpu",
    teacher: Scrfd | None = None,
    *,
    unlabelled: bool = False,
) -> Batches:
    """Batches of photographs that are not held aside.

    Args:
        photographs: Those of the training folders.
        recipe, device, teacher: See `Batches`.
        answers: File of a teacher's answers.
        unlabelled: Use photographs without labels even if no teacher answered for them.

    Raises:
        InputError: no photograph is left, or the answers are of others.
    """
    unlabelled = unlabelled or answers is not None
    shown = [p for p in photographs if not p.held_aside and (p.labelled or unlabelled)]
    if not shown:
        raise InputError("no photograph to train on: the folders are empty, unlabelled, or all held aside")
    once = unique(shown)
    found = load_answers(answers) if answers is not None else {}
    if found and (absent := [p.key for p in once if p.key not in found]):
        raise InputError(
            f"{answers} lacks {len(absent)} photographs, {absent[0]} first: teach the same folders"
        )
    album, scales = open_album(once)
    faces = [faces_in(p, scale, found.get(p.key)) for p, scale in zip(once, scales, strict=True)]
    number = {photograph.key: index for index, photograph in enumerate(once)}
    choice = np.array([number[photograph.key] for photograph in shown], np.int64)
    return Batches(album.with_faces(faces), choice, recipe, device, teacher)
