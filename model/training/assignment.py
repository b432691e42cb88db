"""Which anchors learn which face: those that find it best already, by score and overlap together.

Source: Feng et al., TOOD: task-aligned one-stage object detection, 2021, section 3.2, with the number of
anchors a face from Ge et al., YOLOX, 2021, section 2.1 (SimOTA's dynamic k).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.training.samples.views import ViewFaces

OVERLAP_POWER = 6.0
MOST_ANCHORS = 10
SIZE_RATIO = 3.0
"""An anchor learns faces of up to so many times its side, and down to one part in so many."""
REACH = 0.75
"""A face's anchors stand inside it, or within this share of their stride of its centre."""
CLOSE = 1e-3
"""Overlap that closeness of the anchor stands for where predictions overlap nothing yet."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """What M anchors of a batch shall find.

    Attributes:
        view, anchor, face: int64 [M].
        quality: float32 [M], the probability to answer with.
        doubt: bool [B, N], anchors that may say what they like.
    """

    view: Tensor
    anchor: Tensor
    face: Tensor
    quality: Tensor
    doubt: Tensor


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes_xyxy [..., 4], broadcast."""
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = (first[..., 2:] - first[..., :2]).prod(dim=-1) + (second[..., 2:] - second[..., :2]).prod(dim=-1)
    return shared / (areas - shared).clamp(min=1e-6)


@torch.no_grad()
def assign(
    probability: Tensor, boxes: Tensor, faces: ViewFaces, anchor: Tensor, stride: Tensor
) -> Assignment:
    """Choose anchors.

    Args:
        probability: [B, N], the network's present answer.
        boxes: boxes_xyxy [B, N, 4] in pixels, likewise.
        faces: Of the views.
        anchor: [N, 4], centre x, centre y, width, height.
        stride: [N], of each anchor's cell.
    """
    views, anchors = probability.shape
    wanted = faces.boxes_xyxy[:, None]
    centre, size = (wanted[..., :2] + wanted[..., 2:]) / 2, wanted[..., 2:] - wanted[..., :2]
    far = (anchor[None, :, :2] - centre).abs()
    reach = torch.maximum(size / 2, REACH * stride[None, :, None])
    side = size.prod(dim=-1).sqrt()
    ratio = (anchor[None, :, 2] / side.clamp(min=1e-3)).log().abs()
    candidate = (far <= reach).all(dim=-1) & (ratio <= torch.tensor(SIZE_RATIO).log().item())
    found = overlap(boxes[faces.view], wanted)
    close = CLOSE / (1 + (far / side.clamp(min=1)[..., None]).square().sum(dim=-1) + ratio.square())
    metric = probability[faces.view] * (found + close) ** OVERLAP_POWER * candidate
    learned = faces.sure > 0
    doubt = torch.zeros((views, anchors), dtype=torch.int32, device=boxes.device)
    doubt.index_add_(0, faces.view[~learned], (candidate & ~learned[:, None])[~learned].int())
    best, index = metric.topk(min(MOST_ANCHORS, anchors), dim=1)
    own = found.gather(1, index)
    rank = torch.arange(best.shape[1], device=best.device)
    many = own.sum(dim=1).long().clamp(min=1)
    keep = (rank < many[:, None]) & (best > 0) & learned[:, None]
    quality = best / best[:, :1].clamp(min=1e-38) * own.amax(dim=1, keepdim=True) * faces.sure[:, None]
    face = torch.arange(len(index), device=index.device)[:, None].expand_as(index)
    flat = (faces.view[:, None] * anchors + index)[keep]
    face, own, quality = face[keep], own[keep], quality[keep]
    # An anchor that several faces chose belongs to the one it overlaps most.
    most = torch.full((views * anchors,), -1.0, device=boxes.device).scatter_reduce(0, flat, own, "amax")
    chosen = own >= most[flat]
    flat, face, quality = flat[chosen], face[chosen], quality[chosen]
    doubtful = doubt > 0
    doubtful.view(-1)[flat] = False
    return Assignment(flat // anchors, flat % anchors, face, quality, doubtful)
