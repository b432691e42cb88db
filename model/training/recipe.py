"""Everything that decides what a training does, in one frozen record that travels with its state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.errors import InputError

BASE = 320
"""A batch has as many pixels as `pictures` views of so many pixels a side."""


@Parameter(name="*")
@dataclass(frozen=True)
class Recipe:
    """How long and how a network is trained. Lengths are counted in samples, i.e. views of BASE pixels.

    Attributes:
        network: Name of the student.
        seed: Of views, damages and fresh weights.
        samples: Length of the whole training.
        pictures: Views of BASE pixels a batch; of larger views there are fewer, of smaller ones more.
        sides, side_shares: Sizes of views in pixels, and how often a batch has each.
        rate: Learning rate.
        warm_up: Share of `samples` over which the rate rises.
        hold: Share of `samples` after which the rate begins to fall along a cosine.
        weight_decay: AdamW's, on convolution and linear weights only.
        clip: Largest norm of the gradient.
        average: Decay of the moving average of the weights, per step.
        learn_statistics: Share of `samples` for which batch norm learns its statistics; constants after
            that, so that what is trained is what is deployed.
        loss_weights: Of face, boxes, landmarks. Boxes are learned soon and well; what limits AP is how sure
            the network is of which boxes are faces.
        trust: Share of the teacher in the loss of the probability in the beginning; it falls to nothing
            over `trusted` of all samples, and then the teacher is not asked any more. First it says of
            every place what it may be, then the marks say what is a face.
        trusted: See `trust`.
    """

    network: flags.Network = "featherface_v2"
    seed: flags.Seed = 1
    samples: int = 600_000
    pictures: int = 32
    sides: Annotated[tuple[int, ...], Parameter(consume_multiple=True)] = (320, 416, 640)
    side_shares: Annotated[tuple[float, ...], Parameter(consume_multiple=True)] = (0.35, 0.1, 0.55)
    rate: float = 3e-3
    warm_up: float = 0.02
    hold: float = 0.1
    weight_decay: float = 1e-2
    clip: float = 10.0
    average: float = 0.9995
    learn_statistics: float = 0.7
    loss_weights: tuple[float, float, float] = (8.0, 1.0, 0.25)
    trust: float = 0.5
    trusted: float = 0.6

    def __post_init__(self) -> None:
        for name in ("samples", "pictures"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, found {getattr(self, name)}")
        for name in ("rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be positive, found {getattr(self, name)}")
        for name in ("warm_up", "hold", "average", "learn_statistics", "trust", "trusted"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be from 0 to 1, found {getattr(self, name)}")
        if not self.sides or any(side < 32 or side % 32 for side in self.sides):
            raise InputError(f"sides must be multiples of 32, found {self.sides}")
        if len(self.sides) != len(self.side_shares) or abs(sum(self.side_shares) - 1) > 1e-6:
            raise InputError("side_shares must have a share for each of sides, and 1 as their sum")

    @property
    def steps(self) -> int:
        """Number of batches."""
        return -(-self.samples // self.pictures)

    def rate_factor(self, step: int) -> float:
        """What the learning rate is multiplied with at a step.

        Source: Loshchilov and Hutter, SGDR, 2017, equation 5, after a warm-up and a plateau.
        """
        done = step / self.steps
        rise = min(1.0, (step + 1) / max(1.0, self.warm_up * self.steps))
        fall = min(1.0, max(0.0, (done - self.hold) / max(1e-9, 1 - self.hold)))
        return rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fall)))

    def trust_at(self, step: int) -> float:
        """The teacher's share in the loss at a step."""
        return self.trust * max(0.0, 1 - step / max(1e-9, self.trusted * self.steps))

    def learns_statistics(self, step: int) -> bool:
        """Whether batch norm learns at a step."""
        return step < self.learn_statistics * self.steps

    def views_of(self, side: int) -> int:
        """How many views of `side` pixels make a batch."""
        return max(2, round(self.pictures * BASE * BASE / (side * side)))
