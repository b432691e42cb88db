"""What integers in training learn from: views of photographs, and the float file's answers to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from calibration_data.readers import LabelledImage
from model.runtime.running import RunningModel
from model.training.recipe import Recipe
from model.training.samples.photographs import held_aside, read_folder, read_photographs
from model.training.sources import LARGEST, source_of
from quantize.qat.imitation import Wanted
from quantize.qat.plan import Schedule
from quantize.qat.trainee import Lesson, Lessons

MOST_SIDE = LARGEST
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

    def lessons(self, teachers: Mapping[int, RunningModel], schedule: Schedule) -> Lessons:
        """Views of the photographs with the float files' answers, from which the integers learn.

        Args:
            teachers: Side of the input in pixels -> float file of that size.
            schedule: Its seed decides on the views.

        Raises:
            InputError: no photograph is left to train on.
        """
        views = source_of(self._photographs, Recipe(seed=schedule.seed), unlabelled=True)

        def draw(numbers: np.random.Generator, side: int, count: int) -> Lesson:
            pixels = views.drawn(numbers, side, count).pixels
            teacher = teachers[side]
            wanted = Wanted.of([teacher(picture) for picture in pixels.numpy()], teacher.spec)
            return Lesson(pixels, wanted.costs)

        return draw

    def aside(self, most: int) -> dict[str, list[LabelledImage]]:
        """Name of each labelled folder -> its first photographs, `most` at most, that are not trained on."""
        return {name: images[:most] for name, images in held_aside(self._photographs).items()}


def photographs_of(folder: Path) -> list[LabelledImage]:
    """All photographs of a labelled folder, an evaluation set too."""
    return [photograph.image for photograph in read_folder(folder)]
