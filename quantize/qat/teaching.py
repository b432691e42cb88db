"""What a network in quantization-aware training learns from. The only file that knows the float training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from calibration_data.readers import LabelledImage
from model.checkpoint import load_checkpoint
from model.layers.blocks import Outputs
from model.networks import spec_of
from model.training.losses import imitation
from model.training.recipe import Recipe
from model.training.samples.photographs import held_aside, read_folder, read_photographs
from model.training.sources import LARGEST, source_of
from model.training.student import channels_last, network_inputs
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

    def lessons(self, checkpoint: Path, network: str, schedule: Schedule) -> Lessons:
        """Views of the photographs with the float network's answers, from which the integers learn.

        Raises:
            InputError: the checkpoint cannot teach, or no photograph is left to train on.
        """
        teacher = channels_last(load_checkpoint(checkpoint, network).network)
        views = source_of(self._photographs, Recipe(network, schedule.seed), unlabelled=True)

        def draw(numbers: np.random.Generator, side: int, count: int) -> Lesson:
            pixels = views.drawn(numbers, side, count).pixels
            with torch.no_grad():
                given = network_inputs(pixels, spec_of(network, side, side))
                answers = teacher.predict(teacher.features(given))

            def cost(outputs: Outputs) -> tuple[Tensor, Tensor, Tensor]:
                boxes, logits, landmarks = (answer.to(outputs[0].device) for answer in answers)
                losses = imitation(outputs, (boxes, logits, landmarks))
                return losses.face, losses.boxes, losses.landmarks

            return Lesson(pixels, cost)

        return draw

    def aside(self, most: int) -> dict[str, list[LabelledImage]]:
        """Name of each labelled folder -> its first photographs, `most` at most, that are not trained on."""
        return {name: images[:most] for name, images in held_aside(self._photographs).items()}


def photographs_of(folder: Path) -> list[LabelledImage]:
    """All photographs of a labelled folder, an evaluation set too."""
    return [photograph.image for photograph in read_folder(folder)]
