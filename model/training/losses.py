"""What a network in training is told: where faces are, and what a teacher thinks of every anchor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from model.geometry.anchors import anchors, cells
from model.geometry.boxes import MAX_LOG_SIZE
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Outputs
from model.training.assignment import assign, overlap
from model.training.samples.views import ViewFaces

FOCUS = 1.5
"""Exponent of the distance to the wanted probability; 2 in the paper, less is enough for soft targets."""
BETA = 0.3
"""Offset at which smooth L1 turns from square to linear."""
FEWEST = 4.0
"""Faces a batch is divided by at least, so that one face in a batch of background has no say of its own."""
TEACHER_SURE = 0.3
"""A teacher's probabilities above this are (parts of) faces."""


@dataclass(frozen=True)
class Losses:
    """The parts of a step's loss, each a scalar."""

    face: Tensor
    boxes: Tensor
    landmarks: Tensor

    def total(self, weights: tuple[float, float, float]) -> Tensor:
        """The weighted sum that is minimised."""
        return weights[0] * self.face + weights[1] * self.boxes + weights[2] * self.landmarks


@lru_cache(maxsize=16)
def anchors_on(spec: DetectorSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """A spec's anchors [N, 4] and the stride of each [N]."""
    anchor, stride = anchors(spec).copy(), cells(spec)[:, 2].copy()
    return torch.from_numpy(anchor).to(device), torch.from_numpy(stride).to(device)


def face_logit(logits: Tensor) -> Tensor:
    """Logit of a face [B, N] from one channel or from two (background, face)."""
    return logits[..., 0] if logits.shape[-1] == 1 else logits[..., 1] - logits[..., 0]


def decode(offsets: Tensor, anchor: Tensor, variances: tuple[float, float]) -> Tensor:
    """Offsets [..., 4] at anchors [..., 4] -> boxes_xyxy in pixels; `model.geometry.boxes` for tensors."""
    centre = anchor[..., :2] + offsets[..., :2] * variances[0] * anchor[..., 2:]
    half = anchor[..., 2:] * torch.exp((offsets[..., 2:] * variances[1]).clamp(max=MAX_LOG_SIZE)) / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def encode(boxes: Tensor, anchor: Tensor, variances: tuple[float, float]) -> Tensor:
    """The inverse of `decode`."""
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-3)
    shift = ((boxes[..., :2] + boxes[..., 2:]) / 2 - anchor[..., :2]) / (variances[0] * anchor[..., 2:])
    return torch.cat([shift, torch.log(size / anchor[..., 2:]) / variances[1]], dim=-1)


def losses(
    outputs: Outputs, faces: ViewFaces, spec: DetectorSpec, teacher: Tensor | None = None, trust: float = 0.0
) -> Losses:
    """Quality focal loss on the probability, overlap and smooth L1 on the offsets, each per face.

    Args:
        outputs: Boxes, logits and landmarks of the network, float32.
        faces: What the views show.
        spec: Of the network at the views' size: its own anchors.
        teacher: A teacher's logits of a face [B, N].
        trust: Share of the teacher in the loss of the probability; the faces have the rest.

    Source: Li et al., Generalized focal loss, 2020, equation 6 (soft targets).
    """
    boxes, logits, landmarks = outputs
    logit = face_logit(logits)
    anchor, stride = anchors_on(spec, logit.device)
    probability = torch.sigmoid(logit.detach())
    decoded = decode(boxes.detach(), anchor, spec.variances)
    chosen = assign(probability, decoded, faces, anchor, stride)
    wanted = torch.zeros_like(probability)
    wanted[chosen.view, chosen.anchor] = chosen.quality
    count = chosen.quality.sum().clamp(min=FEWEST)
    face = focal(logit, wanted, (~chosen.doubt).float()) / count
    if teacher is not None and trust > 0:
        answer = torch.sigmoid(teacher)
        missed = _missed(answer, chosen.view, chosen.anchor, chosen.face, len(faces.view))
        believed = torch.ones_like(answer)
        believed[chosen.view, chosen.anchor] = 1 - missed
        sure = (answer * (answer > TEACHER_SURE)).sum().clamp(min=FEWEST)
        face = (1 - trust) * face + trust * focal(logit, answer, believed) / sure
    at = anchor[chosen.anchor]
    box = encode(faces.boxes_xyxy[chosen.face], at, spec.variances)
    points = faces.points[chosen.face]
    known = torch.isfinite(points).all(dim=2).all(dim=1)
    shift = (points.nan_to_num() - at[:, None, :2]) / (spec.variances[0] * at[:, None, 2:])
    return Losses(
        face,
        box_loss(boxes[chosen.view, chosen.anchor], box, chosen.quality, spec),
        offset_loss(landmarks[chosen.view, chosen.anchor], shift.flatten(1), chosen.quality * known),
    )


def _missed(answer: Tensor, view: Tensor, anchor: Tensor, face: Tensor, faces: int) -> Tensor:
    """1 for the anchors of a face that the teacher does not see, else 0: [M]."""
    seen = torch.zeros(max(faces, 1), device=answer.device).scatter_reduce(
        0, face, answer[view, anchor], "amax"
    )
    return (seen < TEACHER_SURE).float()[face]


def focal(logit: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Sum of the weighted quality focal loss."""
    distance = (torch.sigmoid(logit.detach()) - wanted).abs()
    entropy = F.binary_cross_entropy_with_logits(logit, wanted, reduction="none")
    return (entropy * distance**FOCUS * weight).sum()


def box_loss(found: Tensor, wanted: Tensor, weight: Tensor, spec: DetectorSpec) -> Tensor:
    """Offsets and overlap: the first is steady far from the face, the second is what AP asks for."""
    return 4 * offset_loss(found, wanted, weight) + 4 * overlap_loss(found, wanted, weight, spec)


def overlap_loss(found: Tensor, wanted: Tensor, weight: Tensor, spec: DetectorSpec) -> Tensor:
    """Mean 1 - GIoU of the weighted anchors' boxes, from offsets [..., 4].

    Anchors are square, so that the overlap in units of the anchor's side is the overlap in pixels.

    Source: Rezatofighi et al., Generalized intersection over union, 2019, algorithm 1.
    """
    unit = found.new_tensor([0.0, 0.0, 1.0, 1.0])
    mine, theirs = (decode(offsets, unit, spec.variances) for offsets in (found, wanted))
    iou = overlap(mine, theirs)
    areas = [(box[..., 2:] - box[..., :2]).prod(dim=-1) for box in (mine, theirs)]
    union = (areas[0] + areas[1]) / (1 + iou)
    low, high = torch.minimum(mine[..., :2], theirs[..., :2]), torch.maximum(mine[..., 2:], theirs[..., 2:])
    loss = 2 - iou - union / (high - low).prod(dim=-1).clamp(min=1e-6)
    return (loss * weight).sum() / weight.sum().clamp(min=FEWEST)


def offset_loss(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean smooth L1 over the offsets of the weighted anchors."""
    each = F.smooth_l1_loss(found, wanted, reduction="none", beta=BETA).mean(dim=-1)
    return (each * weight).sum() / weight.sum().clamp(min=FEWEST)
