"""What a quantization-aware training is to do: the files it takes, and everything that decides how it goes.

Both records are flags of the command line, field by field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.errors import InputError

Folders = Annotated[list[Path], Parameter(consume_multiple=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Plan:
    """The files of one quantization-aware training.

    Attributes:
        model: Float32 TFLite files that convert made, one for each input size; trained together. Their own
            answers are what the integers learn.
        checkpoint: What they were made from, if it is one that a network of this project reads; written
            trained as well.
        ranges: Activation ranges (JSON) to start from.
        recipe: Recipe (JSON) with int8 layers.
        data: Training folders: label.txt and images/, or photographs without labels.
        photographs: Folder of images for parity and proof.
        report: Labelled folders for the last AP of trained network and file; never trained on.
        output: Folder for everything that is made.
    """

    model: flags.Models
    checkpoint: flags.Checkpoint | None = None
    ranges: Path
    recipe: flags.Recipe
    data: Folders = field(default_factory=list)
    photographs: flags.Photographs
    report: Folders = field(default_factory=list)
    output: flags.Output


@Parameter(name="*")
@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: Batches in all; the input sizes take turns.
        epoch_steps: The state is written after each so many.
        pictures: Of 320 x 320 pixels a batch.
        rate: Adam's, on weights in units of their channel's size.
        scale_rate: Adam's, on the logarithms of the activations' scales.
        warm_up: Steps over which both rise linearly; then they fall to 0 along a cosine.
        freeze: Share of the steps after which the scales stay.
        clip: Largest norm of the gradient.
        loss_weights: Of face, boxes, landmarks, as in training.
        seed: Of batches, crops and damages.
    """

    steps: int = 300
    epoch_steps: int = 100
    pictures: int = 8
    rate: float = 4e-5
    scale_rate: float = 4e-4
    warm_up: int = 50
    freeze: float = 0.8
    clip: float = 5.0
    loss_weights: tuple[float, float, float] = (8.0, 0.5, 0.25)
    seed: flags.Seed = 1

    def __post_init__(self) -> None:
        for name in ("steps", "epoch_steps", "pictures"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, found {getattr(self, name)}")
        for name in ("rate", "scale_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be positive, found {getattr(self, name)}")
        if not 0 <= self.freeze <= 1:
            raise InputError(f"freeze must be from 0 to 1, found {self.freeze}")

    def factor(self, step: int) -> float:
        """What the rates are multiplied with at a step.

        Source: Loshchilov and Hutter, SGDR, 2017, equation 5, after a warm-up.
        """
        rise = min(1.0, (step + 1) / max(1, self.warm_up))
        return rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def scales_learn(self, step: int) -> bool:
        """Whether the activations' scales still learn at a step."""
        return step < self.freeze * self.steps
