"""Everything that decides what a training does, in one frozen record that travels with its state."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from model.foundation.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """How long and how a network is trained. Lengths are counted in samples, i.e. pictures shown.

    A picture larger than 320 x 320 counts once all the same; its batch has fewer of them.

    Attributes:
        network: Name of the student.
        seed: Of batches, crops and damages, and of the weights that are not copied.
        samples: Length of the whole training.
        epoch_samples: A checkpoint is written after each so many.
        pictures: Of 320 x 320 pixels a batch.
        backbone_rate, rate: Learning rates of the backbone (which starts trained) and of the rest.
        warm_up_samples: The rates rise linearly over these.
        hold: Share of `samples` after which the rates begin to fall along a cosine; a training that
            shall go on in a later sitting is stopped before, and its weights are the moving average's.
        weight_decay: AdamW's, on convolution and linear weights only.
        clip: Largest norm of the gradient.
        average: Decay of the moving average of the weights, per step.
        statistics_samples: Batch norm learns its statistics for so long; constants afterwards.
        held_blocks: The first so many blocks of a V2's backbone (its first convolution is one) keep the
            donor's weights: 4 save a third of a step's time.
        loss: "focal", or "multibox" for labels alone.
        loss_weights: Of face, boxes, landmarks. Boxes are learned soon and well; what limits AP is how sure
            the network is of which boxes are faces.
        temperature: Divides the teacher's logits.
        features_until: The pyramid features are distilled, less and less, for so long; needs the teacher
            at hand, not its cached answers.
        feature_weight: Of that loss in the beginning.
        offsets_from, offsets_full: Boxes and landmarks come in between these, after the probabilities.
    """

    network: str = "featherface_v2"
    seed: int = 1
    samples: int = 400_000
    epoch_samples: int = 8_192
    pictures: int = 16
    backbone_rate: float = 7e-4
    rate: float = 3e-3
    warm_up_samples: int = 3_000
    hold: float = 0.6
    weight_decay: float = 1e-3
    clip: float = 5.0
    average: float = 0.999
    statistics_samples: int = 2_500
    held_blocks: int = 0
    loss: str = "focal"
    loss_weights: tuple[float, float, float] = (8.0, 0.5, 0.25)
    offsets_from: int = 0
    offsets_full: int = 6_000
    temperature: float = 1.0
    features_until: int = 0
    feature_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("samples", "epoch_samples", "pictures"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, found {getattr(self, name)}")
        if self.loss not in ("focal", "multibox"):
            raise InputError(f"loss must be focal or multibox, found {self.loss!r}")
        for name in ("backbone_rate", "rate", "clip", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be positive, found {getattr(self, name)}")
        for name in ("hold", "average"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be from 0 to 1, found {getattr(self, name)}")

    def rate_factor(self, samples: int) -> float:
        """What both learning rates are multiplied with after so many samples.

        Source: Loshchilov and Hutter, SGDR, 2017, equation 5, after a warm-up and a plateau.
        """
        rise = min(1.0, (samples + 1) / max(1, self.warm_up_samples))
        begin = self.hold * self.samples
        if samples <= begin:
            return rise
        done = min(1.0, (samples - begin) / max(1.0, self.samples - begin))
        return rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def weights_at(self, samples: int) -> tuple[float, float, float]:
        """The loss weights after so many samples."""
        span = max(1, self.offsets_full - self.offsets_from)
        part = min(1.0, max(0.0, (samples - self.offsets_from) / span))
        face, boxes, landmarks = self.loss_weights
        return face, boxes * part, landmarks * part

    def feature_weight_at(self, samples: int) -> float:
        """Weight of the feature loss after so many samples."""
        if samples >= self.features_until:
            return 0.0
        return self.feature_weight * (1 - samples / self.features_until)

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        return dict(json.loads(json.dumps(asdict(self))))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Recipe:
        """Read `to_json`'s value back.

        Raises:
            InputError: a field is unknown or out of range.
        """
        if unknown := sorted(set(value) - {field.name for field in fields(cls)}):
            raise InputError(f"unknown field(s) in the recipe: {', '.join(unknown)}")
        given: dict[str, Any] = {
            name: tuple(item) if isinstance(item, list) else item for name, item in value.items()
        }
        return cls(**given)
