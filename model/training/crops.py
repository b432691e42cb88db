"""Crops of views: which anchors of the view are the crop's, straight or mirrored, and what to learn there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.geometry.anchors import anchors
from model.geometry.boxes import Floats, decode_boxes, encode_boxes, encode_landmarks, iou_matrix
from model.geometry.spec import DetectorSpec
from model.networks import spec_of
from model.training.views import VIEW, Faces

SPEC = spec_of("featherface_v2", VIEW, VIEW)
"""Anchors, strides and variances of a whole view; those of all networks here are the same."""

STEP = max(SPEC.strides)

MIRRORED_FACE = np.array([1, 0, 2, 4, 3])
"""Left and right eye and mouth corner change places in a mirror."""
MIRRORED_POINTS = np.array([2, 3, 0, 1, 4, 5, 8, 9, 6, 7])
"""The same for flat landmarks (x, y, x, y ...)."""
MIRRORED_SIGNS = np.array([-1, 1] * 5, np.float32)

MATCH_IOU, RIVAL_IOU, FORCED_IOU = 0.45, 0.30, 0.20
"""An anchor learns a face from the first on, is in doubt from the second on; a face's best anchor
learns it from the third on."""
FOUND_IOU = 0.35
"""Anchors with this overlap tell whether the teacher found a face (it was itself trained to match there)."""
DOUBT_WEIGHT = 0.2
TEACHER_SURE = 0.3
"""Boxes and landmarks are learned where the teacher's probability is above this."""
VISIBLE_SHARE = 0.5
"""The teacher saw the whole view: what it found is not asked for where less than this is in the crop."""
TEACHER_FOUND = 0.5
"""A marked face on which no anchor of the teacher is above this counts as missed."""
AGREED_IOU, DISPUTED_IOU = 0.9, 0.5
"""A box of the teacher's that overlaps its mark less than the first is drawn towards the mark, the more
the less it does, and at the second is the mark. Label sets draw the border of a face each in their own way
(FDDB's are bounds of ellipses) and the teacher in yet another: where they roughly agree half of the way
suits both; where they do not (profiles, most of all) the teacher is wrong."""
SAME_IOU = 0.3
"""A box that overlaps a mark less than this is another face's."""
WHOLLY_SHOWN = 0.95
"""A face is drawn towards its mark only if this much of the mark is inside the crop: the teacher saw the
rest, a clipped mark does not tell of it."""
SMALLEST_FACE = 6.0
"""Height in pixels under which a missed face is left out of the loss instead of being learned."""


@dataclass(frozen=True)
class Crop:
    """A square piece of a view: top left corner and side in pixels, multiples of STEP; mirrored or not."""

    left: int
    top: int
    side: int
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Targets:
    """What the network shall answer, anchor by anchor; every field has one row an anchor.

    Attributes:
        face: float32 [N], wanted probability of a face.
        face_weight: float32 [N], how much that counts; 0 where it is not known.
        boxes, landmarks: float32 [N, 4] and [N, 10], wanted offsets.
        box_weight, landmark_weight: float32 [N].
    """

    face: Floats
    face_weight: Floats
    boxes: Floats
    box_weight: Floats
    landmarks: Floats
    landmark_weight: Floats


@lru_cache(maxsize=4096)
def crop_anchors(crop: Crop) -> NDArray[np.int64]:
    """For each anchor of the crop the view's anchor at the same place (its mirror image's, if mirrored)."""
    first, levels = 0, []
    for stride, sizes in zip(SPEC.strides, SPEC.anchor_sizes, strict=True):
        cells, kinds = VIEW // stride, len(sizes)
        grid = first + np.arange(cells * cells * kinds).reshape(cells, cells, kinds)
        top, left, side = crop.top // stride, crop.left // stride, crop.side // stride
        piece = grid[top : top + side, left : left + side]
        levels.append((piece[:, ::-1] if crop.mirrored else piece).reshape(-1))
        first += cells * cells * kinds
    result = np.concatenate(levels).astype(np.int64)
    result.setflags(write=False)
    return result


def mirrored_anchors(side: int) -> NDArray[np.int64]:
    """For each anchor of an input of `side` pixels the one at the mirrored place."""
    first, levels = 0, []
    for stride, sizes in zip(SPEC.strides, SPEC.anchor_sizes, strict=True):
        count = (side // stride) ** 2 * len(sizes)
        grid = first + np.arange(count).reshape(side // stride, side // stride, len(sizes))
        levels.append(grid[:, ::-1].reshape(-1))
        first += count
    return np.concatenate(levels)


def crop_spec(side: int) -> DetectorSpec:
    """The spec of a crop's anchors."""
    return spec_of("featherface_v2", side, side)


def crop_faces(faces: Faces, crop: Crop) -> Faces:
    """Faces of the view in pixels of the crop, mirrored with it; not clipped."""
    boxes = faces.boxes_xyxy - np.array([crop.left, crop.top] * 2, np.float32)
    points = faces.landmarks - np.array([crop.left, crop.top], np.float32)
    if crop.mirrored:
        boxes = np.stack([crop.side - boxes[:, 2], boxes[:, 1], crop.side - boxes[:, 0], boxes[:, 3]], axis=1)
        points = (points * np.array([-1, 1], np.float32) + np.array([crop.side, 0], np.float32))[
            :, MIRRORED_FACE
        ]
    return Faces(boxes.astype(np.float32), points.astype(np.float32), faces.ignore)


def teacher_targets(view: np.void, crop: Crop, temperature: float = 1.0) -> Targets:
    """What the teacher said about a crop's anchors when it saw the whole view.

    Args:
        view: One VIEW_DTYPE row.
        crop: The piece the student sees.
        temperature: See `answer_targets`.
    """
    index = crop_anchors(crop)
    boxes = view["boxes"][index].astype(np.float32)
    landmarks = view["landmarks"][index].astype(np.float32)
    if crop.mirrored:
        boxes[:, 0] *= -1
        landmarks = landmarks[:, MIRRORED_POINTS] * MIRRORED_SIGNS
    targets = answer_targets(boxes, view["logits"][index].astype(np.float32), landmarks, temperature)
    likely = np.flatnonzero(targets.face > 0.05)
    spec = crop_spec(crop.side)
    decoded = decode_boxes(boxes[likely], anchors(spec)[likely], spec.variances)
    hidden = likely[visible_share(decoded, crop.side) < VISIBLE_SHARE]
    for weight in (targets.face_weight, targets.box_weight, targets.landmark_weight):
        weight[hidden] = 0
    return targets


def answer_targets(boxes: Floats, logits: Floats, landmarks: Floats, temperature: float = 1.0) -> Targets:
    """A teacher's offsets [N, 4], face logits [N] and landmarks [N, 10] as targets.

    Args:
        boxes, logits, landmarks: Its answers.
        temperature: Divides the logits. Source: Hinton et al., Distilling the knowledge in a neural
            network, 2015, equation 1.
    """
    face = np.asarray(1 / (1 + np.exp(-logits / np.float32(temperature))), np.float32)
    sure = face * (face > TEACHER_SURE)
    return Targets(face, np.ones_like(face), boxes, sure, landmarks, sure.copy())


def visible_share(boxes_xyxy: Floats, side: int) -> Floats:
    """Share [K] of each box's area that lies inside a square input."""
    clipped = np.clip(boxes_xyxy, 0, side)
    inside = (clipped[:, 2:] - clipped[:, :2]).prod(axis=1)
    whole = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    return np.asarray(np.divide(inside, whole, out=np.zeros_like(inside), where=whole > 0))


def label_targets(side: int) -> Targets:
    """Targets of a crop without a teacher and without faces; `correct` writes the marked ones into it."""
    count = crop_spec(side).anchor_count

    def zeros(*shape: int) -> Floats:
        return np.zeros((count, *shape), np.float32)

    return Targets(zeros(), np.ones(count, np.float32), zeros(4), zeros(), zeros(10), zeros())


def correct(targets: Targets, faces: Faces, side: int) -> None:
    """Write marked faces that the teacher missed into its targets, in place; draw found ones to their marks.

    Args:
        targets: The teacher's, or `label_targets`, for a crop of `side` pixels.
        faces: Marked faces in pixels of the crop.
        side: Of the crop.
    """
    boxes = np.clip(faces.boxes_xyxy, 0, side)
    shown = (visible_share(faces.boxes_xyxy, side) >= VISIBLE_SHARE) & (
        (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= 1
    )
    if not shown.any():
        return
    whole = shown & ~faces.ignore & (visible_share(faces.boxes_xyxy, side) >= WHOLLY_SHOWN)
    _draw_to_marks(targets, boxes[whole], side)
    boxes, points, ignore = boxes[shown], faces.landmarks[shown], faces.ignore[shown]
    overlap = _anchor_overlap(crop_spec(side), boxes)
    answer = np.where(overlap >= FOUND_IOU, targets.face[:, None], 0).max(axis=0)
    unlearnable = ignore | (boxes[:, 3] - boxes[:, 1] < SMALLEST_FACE)
    for face in np.flatnonzero(answer < TEACHER_FOUND):
        own = overlap[:, face]
        doubt = (own >= RIVAL_IOU) & (targets.face < TEACHER_SURE)
        targets.face_weight[doubt] = np.minimum(targets.face_weight[doubt], DOUBT_WEIGHT)
        learn = (own >= MATCH_IOU) & (own >= overlap.max(axis=1))
        learn[own.argmax()] |= own.max() >= FORCED_IOU
        if unlearnable[face]:
            targets.face_weight[learn] = 0
        else:
            _write_face(targets, learn, boxes[face], points[face], side)


def _draw_to_marks(targets: Targets, boxes_xyxy: Floats, side: int) -> None:
    """Move the teacher's boxes towards the marked face that each overlaps most; see AGREED_IOU."""
    spec = crop_spec(side)
    sure = np.flatnonzero(targets.box_weight > 0)
    if not len(sure) or not len(boxes_xyxy):
        return
    anchor = anchors(spec)[sure]
    overlap = iou_matrix(decode_boxes(targets.boxes[sure], anchor, spec.variances), boxes_xyxy)
    best = overlap.max(axis=1)
    same = best >= SAME_IOU
    share = np.clip((AGREED_IOU - best) / (AGREED_IOU - DISPUTED_IOU), 0, 1)[:, None]
    marks = encode_boxes(boxes_xyxy[overlap.argmax(axis=1)], anchor, spec.variances)
    moved = targets.boxes[sure] + share * (marks - targets.boxes[sure])
    targets.boxes[sure[same]] = moved[same]


def _write_face(
    targets: Targets, learn: NDArray[np.bool_], box_xyxy: Floats, points: Floats, side: int
) -> None:
    """Make the anchors `learn` want one marked face."""
    spec = crop_spec(side)
    anchor = anchors(spec)[learn]
    targets.face[learn], targets.face_weight[learn] = 1, 1
    repeated = np.repeat(box_xyxy[None], len(anchor), axis=0)
    targets.boxes[learn] = encode_boxes(repeated, anchor, spec.variances)
    targets.box_weight[learn] = 1
    targets.landmark_weight[learn] = 0
    if np.isfinite(points).all():
        each = np.repeat(points[None], len(anchor), axis=0)
        targets.landmarks[learn] = encode_landmarks(each, anchor, spec.variances)
        targets.landmark_weight[learn] = 1


def _anchor_overlap(spec: DetectorSpec, boxes_xyxy: Floats) -> Floats:
    """IoU [N, K] of all anchors, as boxes, with boxes [K, 4]."""
    anchor = anchors(spec)
    corners = np.concatenate([anchor[:, :2] - anchor[:, 2:] / 2, anchor[:, :2] + anchor[:, 2:] / 2], axis=1)
    return iou_matrix(corners, boxes_xyxy)
