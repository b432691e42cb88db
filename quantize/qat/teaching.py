"""What a network in quantization-aware training learns from. The only file that knows the float training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from calibration_data.readers import LabelledImage
from model.layers.blocks import Outputs
from model.training.batches import FreshViews
from model.training.losses import focal_losses
from model.training.photographs import read_folder, read_photographs
from model.training.teacher import Teacher
from model.training.views import VIEW
from quantize.qat.plan import Schedule
from quantize.qat.trainee import Lesson, Lessons

MOST_SIDE = VIEW
"""Side in pixels of the largest pictures that can be drawn."""


class Material:
    """The photographs of the training folders.

    Args:
        folders: label.txt and images/ in each, or photographs without labels.

    Raises:
        InputError: a folder cannot be trained on.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._photographs = read_photographs(folders)

    def lessons(self, checkpoint: Path, network: str, schedule: Schedule) -> Lessons:
        """Crops of the photographs with the float network's answers, from which the integers learn.

        Raises:
            InputError: the checkpoint cannot teach, or no photograph is left to train on.
        """
        teacher = Teacher.load(checkpoint, network)
        views = FreshViews(
            self._photographs, schedule.seed, schedule.pictures, teacher, corrected=schedule.corrected
        )

        def draw(numbers: np.random.Generator, side: int, count: int) -> Lesson:
            batch = views.drawn(numbers, side, count)

            def cost(outputs: Outputs) -> tuple[Tensor, Tensor, Tensor]:
                losses = focal_losses(outputs, batch.to(outputs[0].device))
                return losses.face, losses.boxes, losses.landmarks

            return Lesson(batch.pixels, cost)

        return draw

    def aside(self, most: int) -> dict[str, list[LabelledImage]]:
        """Name of each labelled folder -> its first photographs, `most` at most, that are not trained on."""
        sets: dict[str, list[LabelledImage]] = {}
        for one in self._photographs:
            if one.labelled and one.held_aside and len(images := sets.setdefault(one.folder, [])) < most:
                images.append(one.image)
        return sets


def photographs_of(folder: Path) -> list[LabelledImage]:
    """All photographs of a labelled folder, an evaluation set too."""
    return [photograph.image for photograph in read_folder(folder)]
