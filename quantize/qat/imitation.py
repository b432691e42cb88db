"""What integers learn: a float file's own answers, read by the roles that its spec gives them.

Nothing here knows a network. How much a number of the file matters is asked of the spec's decoder: by how
much it moves the probability of a face, or the box, or a landmark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.geometry.decoders import best_class, decoder_of
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Outputs
from model.runtime.running import Answer

FOCUS = 1.5
"""Exponent of the distance to the wanted probability.

Source: Li et al., Generalized focal loss, 2020, equation 6: 2; less is enough for soft targets."""
SURE = 0.3
"""Boxes and landmarks are learned where the float file finds a face more probable than this."""
FEWEST = 4.0
"""Faces a batch is divided by at least, so that one face in a batch of background has no say of its own."""
UNIT = 0.1
"""Errors of boxes and landmarks are counted in this share of the face's side."""
BETA = 0.3
"""Such units at which smooth L1 turns from square to linear."""
BOX_WEIGHT = 4.0
"""Of a box's error in units against a landmark's."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What the float file says of B pictures, and what each number of it is worth.

    Attributes:
        scores: float32 [B, N, C], its probabilities.
        decides: float32 [B, N, C], by how much a face gets more probable as a score goes from 0 to 1.
        picture, candidate: int64 [M], where it is sure of a face.
        probability: float32 [M], of that face.
        boxes, landmarks: float32 [M, 4] and [M, 2 P], its rows there.
        box_slopes, landmark_slopes: float32 [M, 4, 4] and [M, 2 P, 2 P]: what a row's numbers (last index)
            add to the coordinates of the box or of the landmarks, in UNIT.
    """

    scores: Tensor
    decides: Tensor
    picture: Tensor
    candidate: Tensor
    probability: Tensor
    boxes: Tensor
    landmarks: Tensor
    box_slopes: Tensor
    landmark_slopes: Tensor

    @classmethod
    def of(cls, answers: Sequence[Answer], spec: DetectorSpec) -> Wanted:
        """Read the float file's answers to each picture of a batch."""
        boxes, scores, landmarks = (np.concatenate(rows) for rows in zip(*answers, strict=True))
        decoder = decoder_of(spec)
        faces = np.stack([best_class(one, spec) for one in scores])
        picture, candidate = np.nonzero(faces > SURE)
        sure_boxes, sure_landmarks = boxes[picture, candidate], landmarks[picture, candidate]
        decoded = decoder.boxes(sure_boxes, candidate, spec)
        side = np.sqrt(np.maximum((decoded[:, 2:] - decoded[:, :2]).prod(axis=1), 1.0))
        unit = (UNIT * side).astype(np.float32)[:, None, None]

        def box(rows: Floats) -> Floats:
            return decoder.boxes(rows, candidate, spec)

        def points(rows: Floats) -> Floats:
            return decoder.landmarks(rows, decoded, candidate, spec).reshape(rows.shape)

        tensors = (
            scores,
            np.stack([_decides(one, spec) for one in scores]),
            picture,
            candidate,
            faces[picture, candidate],
            sure_boxes,
            sure_landmarks,
            _slopes(box, sure_boxes) / unit,
            _slopes(points, sure_landmarks) / unit,
        )
        return cls(*(torch.from_numpy(np.ascontiguousarray(one)) for one in tensors))

    def costs(self, outputs: Outputs) -> tuple[Tensor, Tensor, Tensor]:
        """What other answers cost: of faces, of boxes, of landmarks.

        Args:
            outputs: Boxes [B, N, 4], logits of the scores [B, N, C] and landmarks [B, N, 2 P].
        """
        boxes, logits, landmarks = outputs
        device = logits.device
        own = {name: value.to(device) for name, value in vars(self).items()}
        sure = own["probability"]
        at = own["picture"], own["candidate"]
        return (
            _focal(logits, own["scores"], own["decides"]) / sure.sum().clamp(min=FEWEST),
            BOX_WEIGHT * _moved(boxes[at] - own["boxes"], own["box_slopes"], sure),
            _moved(landmarks[at] - own["landmarks"], own["landmark_slopes"], sure),
        )


def _decides(scores: Floats, spec: DetectorSpec) -> Floats:
    """By how much a face gets more probable [N, C] as a score goes from 0 to 1 and the others stay."""
    classes = decoder_of(spec).classes
    result = np.empty_like(scores)
    for column in range(scores.shape[1]):
        none, full = scores.copy(), scores.copy()
        none[:, column], full[:, column] = 0, 1
        result[:, column] = (classes(full, spec) - classes(none, spec)).max(axis=1)
    return result


def _slopes(decode: Callable[[Floats], Floats], rows: Floats) -> Floats:
    """Derivatives [M, K, K] of K decoded numbers by the K of a row, by central differences."""
    step = np.float32(1 / 64)
    result = np.zeros((*rows.shape, rows.shape[1]), np.float32)
    for column in range(rows.shape[1]):
        less, more = rows.copy(), rows.copy()
        less[:, column] -= step
        more[:, column] += step
        result[..., column] = (decode(more) - decode(less)) / (2 * step)
    return result


def _focal(logits: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Sum of the weighted quality focal loss."""
    distance = (torch.sigmoid(logits.detach()) - wanted).abs()
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (entropy * distance**FOCUS * weight).sum()


def _moved(difference: Tensor, slopes: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean smooth L1 of what differences of rows [M, K] do to the decoded numbers."""
    if not difference.numel():
        return difference.sum()
    moved = (slopes @ difference[..., None])[..., 0]
    each = F.smooth_l1_loss(moved, torch.zeros_like(moved), reduction="none", beta=BETA).mean(dim=-1)
    return (each * weight).sum() / weight.sum().clamp(min=FEWEST)
