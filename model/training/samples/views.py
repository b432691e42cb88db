"""Views: pieces of photographs at many scales, alone or as mosaics of four, rendered a batch at a time.

A view has four quarters that meet at a point of its own. In a mosaic each shows another photograph,
else all show the same; what stands outside its photograph is black, as a letterbox's border is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.geometry.boxes import MIRRORED_POINTS
from model.geometry.letterbox import Pixels
from model.training.samples.album import LEVELS, Album

MOSAIC_SHARE, WHOLE_SHARE = 0.35, 0.25
"""The rest are pieces around a face."""
FACE_SHARE_OF_VIEW = (0.02, 0.9)
"""Range of a chosen face's height in a piece, as a share of the view's side; drawn on a logarithmic scale."""
WHOLE_FACTORS = (0.7, 1.4)
"""How much smaller or larger than in a letterbox a whole photograph is."""
MOST_ENLARGED = 3.0
LEAST_FILLED = 0.7
"""A photograph's longer side is at least this share of a view."""
STRETCHED = 0.1
"""Largest logarithm by which width and height are scaled apart."""
SMOOTH_SHARE = 0.6
"""How often pixels are averaged when shrinking; else they are skipped, as the letterbox of a phone does."""
LEAST_SHOWN = 0.4
"""A face of which less is in the view may be found or not."""
SMALLEST_FACE = 5.0
"""Height in pixels under which a face may be found or not."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plan:
    """What B views show; quarters are numbered row by row.

    Attributes:
        photograph: int64 [B, 4].
        scale: float64 [B, 4, 2], view pixels per photograph pixel in x and y; x is negative in a mirror.
        shift: float64 [B, 4, 2], where the photograph's corner stands in the view.
        meet: int64 [B, 2], x and y of the point where the quarters meet.
        mosaic, smooth: bool [B].
    """

    photograph: NDArray[np.int64]
    scale: Floats
    shift: Floats
    meet: NDArray[np.int64]
    mosaic: NDArray[np.bool_]
    smooth: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ViewFaces:
    """The F faces of a batch of views.

    Attributes:
        view: int64 [F], which view each is in.
        boxes_xyxy: float32 [F, 4] in pixels of the view, clipped to what is shown.
        sure: float32 [F], as in `album.Faces`.
        points: float32 [F, 5, 2]; NaN where not known.
    """

    view: Tensor
    boxes_xyxy: Tensor
    sure: Tensor
    points: Tensor

    def to(self, device: torch.device) -> ViewFaces:
        """The faces on a device."""
        parts = (self.view, self.boxes_xyxy, self.sure, self.points)
        return ViewFaces(*(part.to(device, non_blocking=True) for part in parts))


def plan_views(
    draw: np.random.Generator, album: Album, choice: NDArray[np.int64], side: int, count: int
) -> Plan:
    """Choose what `count` views of `side` pixels show.

    Args:
        draw: Random numbers; the plan depends on nothing else.
        album: The photographs.
        choice: Numbers of the photographs to choose from; one named twice is chosen twice as often.
        side: Of the views.
        count: How many.
    """
    kind = draw.random(count)
    mosaic, whole = kind < MOSAIC_SHARE, (kind >= MOSAIC_SHARE) & (kind < MOSAIC_SHARE + WHOLE_SHARE)
    photograph = choice[draw.integers(len(choice), size=(count, 4))]
    photograph[~mosaic] = photograph[~mosaic, :1]
    meet = np.where(mosaic[:, None], draw.uniform(0.3, 0.7, (count, 2)) * side, side / 2).astype(np.int64)
    scale, shift = np.empty((count, 4, 2)), np.empty((count, 4, 2))
    for view in range(count):
        for quarter in range(4 if mosaic[view] else 1):
            number = int(photograph[view, quarter])
            height, width = album.size[number]
            size = np.array([width, height], float)
            if mosaic[view]:
                low = np.array([quarter % 2, quarter // 2]) * meet[view]
                room = np.where([quarter % 2, quarter // 2], side - meet[view], meet[view])
                each = _filling(draw, size, low, room)
            elif whole[view]:
                each = _whole(draw, size, np.zeros(2), np.full(2, side))
            else:
                each = _piece(draw, size, album.faces[number].boxes_xyxy, side)
            scale[view, quarter], shift[view, quarter] = _mirrored(draw, size, *each)
        if not mosaic[view]:
            scale[view, 1:], shift[view, 1:] = scale[view, :1], shift[view, :1]
    return Plan(photograph, scale, shift, meet, mosaic, draw.random(count) < SMOOTH_SHARE)


_Placed = tuple[Floats, Floats]


def _whole(draw: np.random.Generator, size: Floats, low: Floats, room: Floats) -> _Placed:
    """A whole photograph: half of the time as a letterbox shows it, else scaled and shifted."""
    scale = np.full(2, float((room / size).min()))
    if draw.random() < 0.5:
        return scale, low.astype(float)
    scale = scale * np.exp(draw.uniform(*np.log(WHOLE_FACTORS)) + draw.uniform(-STRETCHED, STRETCHED, 2))
    return scale, low + _slack(draw, room - size * scale)


def _filling(draw: np.random.Generator, size: Floats, low: Floats, room: Floats) -> _Placed:
    """A photograph in a quarter: between what shows it whole and what leaves nothing black, or larger."""
    fit, cover = float((room / size).min()), float((room / size).max())
    scale = np.exp(draw.uniform(np.log(fit), np.log(cover * 1.4)) + draw.uniform(-STRETCHED, STRETCHED, 2))
    return scale, low + _slack(draw, room - size * scale)


def _slack(draw: np.random.Generator, free: Floats) -> Floats:
    return np.asarray(draw.uniform(np.minimum(free, 0.0), np.maximum(free, 0.0)))


def _piece(draw: np.random.Generator, size: Floats, boxes: NDArray[np.float32], side: int) -> _Placed:
    """A piece of a photograph: around a face that gets a drawn height, or anywhere at a drawn scale."""
    least, most = LEAST_FILLED * side / size.max(), MOST_ENLARGED
    stretched = np.exp(draw.uniform(-STRETCHED, STRETCHED, 2))
    if not len(boxes) or draw.random() < 0.1:
        scale = np.exp(draw.uniform(*np.log([LEAST_FILLED, 3.0]))) * side / size.max() * stretched
        return scale, _slack(draw, side - size * scale)
    x_min, y_min, x_max, y_max = boxes[draw.integers(len(boxes))].astype(float)
    wanted = side * np.exp(draw.uniform(*np.log(FACE_SHARE_OF_VIEW))) / max(y_max - y_min, 1.0)
    scale = max(min(wanted, most), least) * stretched
    place = draw.uniform(0.1, 0.9, 2) * side
    shift = place - np.array([x_min + x_max, y_min + y_max]) / 2 * scale
    free = side - size * scale
    return scale, np.clip(shift, np.minimum(free, 0.0), np.maximum(free, 0.0))


def _mirrored(draw: np.random.Generator, size: Floats, scale: Floats, shift: Floats) -> _Placed:
    if draw.random() < 0.5:
        return scale, shift
    return scale * [-1, 1], np.array([shift[0] + size[0] * scale[0], shift[1]])


def render(plan: Plan, album: Album, side: int) -> Pixels:
    """Draw views: uint8 RGB [B, side, side, 3], black outside the photographs."""
    views = np.zeros((len(plan.photograph), side, side, 3), np.uint8)
    for index, view in enumerate(views):
        for quarter in range(4 if plan.mosaic[index] else 1):
            (left, top), (right, bottom) = _window(plan, index, quarter, side).astype(int)
            shift = plan.shift[index, quarter] - [left, top]
            number, scale = int(plan.photograph[index, quarter]), plan.scale[index, quarter]
            view[top:bottom, left:right] = _drawn(
                album, number, scale, shift, (right - left, bottom - top), bool(plan.smooth[index])
            )
    return views


def _drawn(
    album: Album, number: int, scale: Floats, shift: Floats, room: tuple[int, int], smooth: bool
) -> Pixels:
    """A photograph in a window of `room` (width, height) pixels."""
    shrunk = float(np.sqrt(abs(scale[0] * scale[1])))
    level = int(np.clip(np.floor(np.log2(1 / shrunk) + 0.4), 0, LEVELS - 1)) if smooth else 0
    image, whole = album.copies[number][level], album.size[number]
    # Pixel centres stand at +0.5 in the geometry of boxes and at 0 in warpAffine's.
    x, y = scale * whole[::-1] / image.shape[1::-1]
    move = np.array([[x, 0, shift[0] + x / 2 - 0.5], [0, y, shift[1] + y / 2 - 0.5]])
    return np.asarray(
        cv2.warpAffine(image, move, room, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.uint8
    )


def faces_of(plan: Plan, album: Album, side: int) -> ViewFaces:
    """The faces that the views show, clipped to their quarter."""
    view, boxes, sure, points = [], [], [], []
    for index in range(len(plan.photograph)):
        for quarter in range(4 if plan.mosaic[index] else 1):
            faces = album.faces[plan.photograph[index, quarter]]
            if not len(faces):
                continue
            scale, shift = plan.scale[index, quarter], plan.shift[index, quarter]
            window = _window(plan, index, quarter, side)
            corners = faces.boxes_xyxy.reshape(-1, 2, 2) * scale + shift
            low, high = corners.min(axis=1), corners.max(axis=1)
            clipped = np.clip([low, high], window[0], window[1])
            shown = (clipped[1] - clipped[0]).prod(axis=1) / np.maximum((high - low).prod(axis=1), 1e-9)
            keep = (shown > 0.1) & (clipped[1] - clipped[0] > 1).all(axis=1)
            small = (high - low)[:, 1] < SMALLEST_FACE
            landmarks = faces.points * scale + shift
            view.append(np.full(int(keep.sum()), index))
            boxes.append(np.concatenate(list(clipped), axis=1)[keep])
            sure.append(np.where(small | (shown < LEAST_SHOWN), 0.0, faces.sure)[keep])
            points.append((landmarks[:, MIRRORED_POINTS] if scale[0] < 0 else landmarks)[keep])
    return ViewFaces(
        torch.from_numpy(_joined(view, np.zeros(0)).astype(np.int64)),
        torch.from_numpy(_joined(boxes, np.zeros((0, 4))).astype(np.float32)),
        torch.from_numpy(_joined(sure, np.zeros(0)).astype(np.float32)),
        torch.from_numpy(_joined(points, np.zeros((0, 5, 2))).astype(np.float32)),
    )


def _window(plan: Plan, index: int, quarter: int, side: int) -> Floats:
    """Low and high corner of what a photograph may cover."""
    if not plan.mosaic[index]:
        return np.array([[0, 0], [side, side]], float)
    later = np.array([quarter % 2, quarter // 2])
    return np.stack([later * plan.meet[index], np.where(later, side, plan.meet[index])]).astype(float)


def _joined(parts: Sequence[Floats], empty: Floats) -> Floats:
    return np.concatenate(parts) if parts else empty
