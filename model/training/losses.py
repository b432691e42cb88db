"""Losses over anchors, the same for labels and for a teacher's answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model.blocks import Outputs
from model.training.batches import Batch

FOCUS = 1.5
"""Exponent of the distance to the wanted probability; 2 in the paper, less is enough for soft targets."""
BETA = 0.3
"""Offset at which smooth L1 turns from square to linear."""
FEWEST = 4.0
"""Faces a batch is divided by at least, so that one face in a batch of background has no say of its own."""


@dataclass(frozen=True)
class Losses:
    """The three parts of a step's loss, each a scalar."""

    face: Tensor
    boxes: Tensor
    landmarks: Tensor

    def total(self, weights: tuple[float, float, float]) -> Tensor:
        """The weighted sum that is minimised."""
        return weights[0] * self.face + weights[1] * self.boxes + weights[2] * self.landmarks


def face_logit(logits: Tensor) -> Tensor:
    """Logit of a face [B, N] from one channel or from two (background, face)."""
    return logits[..., 0] if logits.shape[-1] == 1 else logits[..., 1] - logits[..., 0]


def anchor_losses(outputs: Outputs, batch: Batch) -> Losses:
    """Quality focal loss on the probability, smooth L1 on the offsets, each per face.

    Source: Li et al., Generalized focal loss, 2020, equation 6 (soft targets).
    """
    boxes, logits, landmarks = outputs
    logit = face_logit(logits)
    faces = batch.face[batch.face > BETA].sum().clamp(min=FEWEST)
    distance = (torch.sigmoid(logit.detach()) - batch.face).abs()
    entropy = F.binary_cross_entropy_with_logits(logit, batch.face, reduction="none")
    face = (entropy * distance**FOCUS * batch.face_weight).sum() / faces
    return Losses(
        face,
        _offset_loss(boxes, batch.boxes, batch.box_weight) * 4,
        _offset_loss(landmarks, batch.landmarks, batch.landmark_weight),
    )


def _offset_loss(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean smooth L1 over the offsets of the weighted anchors."""
    each = F.smooth_l1_loss(found, wanted, reduction="none", beta=BETA).mean(dim=-1)
    return (each * weight).sum() / weight.sum().clamp(min=FEWEST)
