"""Losses over anchors, the same for labels and for a teacher's answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model.geometry.boxes import MAX_LOG_SIZE
from model.layers.blocks import Outputs
from model.training.batches import Batch
from model.training.crops import SPEC
from model.training.teacher import face_logit

FOCUS = 1.5
"""Exponent of the distance to the wanted probability; 2 in the paper, less is enough for soft targets."""
NEGATIVES = 7
"""Background anchors a face in the MultiBox loss."""
SOME_FACE = 0.3
"""Wanted probabilities above this count as (parts of) faces, by whose number the loss is divided."""
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


def focal_losses(outputs: Outputs, batch: Batch) -> Losses:
    """Quality focal loss on the probability, overlap and smooth L1 on the offsets, each per face.

    Source: Li et al., Generalized focal loss, 2020, equation 6 (soft targets).
    """
    boxes, logits, landmarks = outputs
    logit = face_logit(logits)
    faces = batch.face[batch.face > SOME_FACE].sum().clamp(min=FEWEST)
    distance = (torch.sigmoid(logit.detach()) - batch.face).abs()
    entropy = F.binary_cross_entropy_with_logits(logit, batch.face, reduction="none")
    face = (entropy * distance**FOCUS * batch.face_weight).sum() / faces
    return Losses(
        face,
        box_loss(boxes, batch.boxes, batch.box_weight),
        offset_loss(landmarks, batch.landmarks, batch.landmark_weight),
    )


def multibox_losses(outputs: Outputs, batch: Batch) -> Losses:
    """Cross entropy on faces and on the hardest background anchors, NEGATIVES a face; smooth L1 on the rest.

    Source: Liu et al., SSD, 2016, section 2.2; 7 negatives a face as RetinaFace's training code has it.
    """
    boxes, logits, landmarks = outputs
    logit = face_logit(logits)
    known = batch.face_weight >= 1
    positive = known & (batch.face > 0.5)
    entropy = F.binary_cross_entropy_with_logits(logit, positive.float(), reduction="none")
    count = positive.sum(dim=1)
    hardness = torch.where(known & ~positive, entropy.detach(), torch.full_like(entropy, -1.0))
    rank = hardness.argsort(dim=1, descending=True, stable=True).argsort(dim=1, stable=True)
    wanted = (NEGATIVES * count).clamp(min=NEGATIVES)
    chosen = positive | ((rank < wanted[:, None]) & (hardness >= 0))
    return Losses(
        (entropy * chosen).sum() / count.sum().clamp(min=FEWEST),
        box_loss(boxes, batch.boxes, batch.box_weight),
        offset_loss(landmarks, batch.landmarks, batch.landmark_weight),
    )


LOSSES: dict[str, Callable[[Outputs, Batch], Losses]] = {"focal": focal_losses, "multibox": multibox_losses}


def feature_loss(adapted: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Mean over levels of 1 - cosine of the angle between both networks' features at each cell."""
    each = [
        (1 - F.cosine_similarity(mine, theirs, dim=1)).mean()
        for mine, theirs in zip(adapted, teacher, strict=True)
    ]
    return torch.stack(each).mean()


def box_loss(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Offsets and overlap: the first is steady far from the face, the second is what AP asks for."""
    return 4 * offset_loss(found, wanted, weight) + 4 * overlap_loss(found, wanted, weight)


def overlap_loss(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean 1 - GIoU of the weighted anchors' boxes, from offsets [B, N, 4].

    Anchors are square, so that the overlap in units of the anchor's side is the overlap in pixels.

    Source: Rezatofighi et al., Generalized intersection over union, 2019, algorithm 1.
    """
    low, high = _corners(found)
    wanted_low, wanted_high = _corners(wanted)
    shared = (torch.minimum(high, wanted_high) - torch.maximum(low, wanted_low)).clamp(min=0).prod(dim=-1)
    union = (high - low).prod(dim=-1) + (wanted_high - wanted_low).prod(dim=-1) - shared
    hull = (torch.maximum(high, wanted_high) - torch.minimum(low, wanted_low)).prod(dim=-1)
    loss = 2 - shared / union - union / hull
    return (loss * weight).sum() / weight.sum().clamp(min=FEWEST)


def _corners(offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper corners [B, N, 2] of decoded boxes in units of the anchor's side, from its centre."""
    centre_scale, size_scale = SPEC.variances
    centre = offsets[..., :2] * centre_scale
    half = torch.exp((offsets[..., 2:] * size_scale).clamp(max=MAX_LOG_SIZE)) / 2
    return centre - half, centre + half


def offset_loss(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean smooth L1 over the offsets of the weighted anchors."""
    each = F.smooth_l1_loss(found, wanted, reduction="none", beta=BETA).mean(dim=-1)
    return (each * weight).sum() / weight.sum().clamp(min=FEWEST)
