"""A trained detector that answers for rendered views, and its answers for the mirror image, if asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoint import load_checkpoint
from model.foundation.artifact import sha256_of
from model.foundation.errors import InputError
from model.geometry.boxes import Floats
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector
from model.networks import spec_of
from model.training.crops import MIRRORED_POINTS, MIRRORED_SIGNS, SPEC, mirrored_anchors
from model.training.start import channels_last
from model.training.views import VIEW


@dataclass(frozen=True, eq=False)
class Answers:
    """What a teacher says about B pictures of N anchors.

    Attributes:
        boxes, landmarks: float32 [B, N, 4] and [B, N, 10], offsets.
        logits: float32 [B, N], of a face.
        features: What its heads read, one map a level; without gradient.
    """

    boxes: Floats
    logits: Floats
    landmarks: Floats
    features: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Teacher:
    """A network with the student's anchors, and how it wants its pixels.

    Attributes:
        name, checkpoint_sha256: What it is.
        network: In evaluation mode.
        spec: Conventions of its input.
        mirrored: Average its answers for a view and for the view's mirror image.
    """

    name: str
    checkpoint_sha256: str
    network: Detector
    spec: DetectorSpec
    mirrored: bool = False

    @classmethod
    def load(cls, checkpoint: Path, name: str, mirrored: bool = False) -> Teacher:
        """Read a teacher's weights.

        Raises:
            InputError: unusable checkpoint, or a network whose anchors are not the student's.
        """
        spec = spec_of(name, VIEW, VIEW)
        if (spec.anchor_sizes, spec.strides, spec.variances) != (
            SPEC.anchor_sizes,
            SPEC.strides,
            SPEC.variances,
        ):
            raise InputError(
                f"{name} cannot teach: its anchors are {spec.anchor_sizes}, the student's {SPEC.anchor_sizes}"
            )
        network = channels_last(load_checkpoint(checkpoint, name).network)
        return cls(name, sha256_of(checkpoint), network, spec, mirrored)

    @property
    def width(self) -> int:
        """Channels of its features."""
        with torch.inference_mode():
            return int(self.network.features(torch.zeros(1, 3, 64, 64))[0].shape[1])

    def inputs(self, pixels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> Tensor:
        """Views uint8 [B, S, S, 3], True where a photograph is [B, S, S] -> network input [B, 3, S, S]."""
        values = pixels.astype(np.float32)
        if self.spec.channel_order == "BGR":
            values = values[..., ::-1]
        values = values - np.asarray(self.spec.mean, np.float32)
        if self.spec.pad_rgb != (0, 0, 0):  # its border is the mean colour, the views' is black
            values[~inside] = 0.0
        return torch.from_numpy(np.ascontiguousarray(values)).permute(0, 3, 1, 2)

    def ask(self, pixels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> Answers:
        """Answer for pictures uint8 [B, S, S, 3]; see `inputs`."""
        batch = self.inputs(pixels, inside)
        mine = self._answers(batch)
        if not self.mirrored:
            return mine
        index = mirrored_anchors(pixels.shape[1])
        other = self._answers(batch.flip(3))
        other.boxes[..., 0] *= -1
        landmarks = other.landmarks[:, index][..., MIRRORED_POINTS] * MIRRORED_SIGNS
        return Answers(
            _mean(mine.boxes, other.boxes[:, index]),
            _mean(mine.logits, other.logits[:, index]),
            _mean(mine.landmarks, landmarks),
            mine.features,
        )

    def answer(self, views: NDArray[np.void], inside: NDArray[np.bool_]) -> None:
        """Fill in boxes, logits and landmarks of rendered views (VIEW_DTYPE [B]), in place."""
        answers = self.ask(views["pixels"], inside)
        views["boxes"], views["logits"] = answers.boxes, answers.logits
        views["landmarks"] = answers.landmarks

    def _answers(self, batch: Tensor) -> Answers:
        with torch.inference_mode():
            features = self.network.features(batch)
            boxes, logits, landmarks = self.network.predict(features)
        return Answers(boxes.numpy(), face_logit(logits).numpy(), landmarks.numpy(), tuple(features))


def _mean(first: Floats, second: Floats) -> Floats:
    return (first + second) * np.float32(0.5)


def face_logit(logits: Tensor) -> Tensor:
    """Logit of a face [B, N] from one channel or from two (background, face)."""
    return logits[..., 0] if logits.shape[-1] == 1 else logits[..., 1] - logits[..., 0]
