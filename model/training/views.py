"""Views: square pieces of photographs at many scales, as the teacher sees them, whole or as mosaics.

A view is VIEW pixels square. The student trains on crops of it whose corner is a multiple of the
largest stride, so that every anchor of the crop is an anchor of the view, and the teacher's answer
for one view serves thousands of crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration_data.images import load_rgb
from model.training.photographs import Photograph

VIEW = 640
TILE = 320
MOST_TILES = 4
ANCHORS = 16800
"""Anchors of a VIEW x VIEW input: 2 on each of 80 x 80, 40 x 40 and 20 x 20 cells."""

TILE_DTYPE = np.dtype(
    [("photograph", "<i4"), ("scale", "<f4"), ("shift", "<f4", (2,)), ("window", "<i4", (4,))]
)
"""How a photograph stands in a view: view pixel = photograph pixel * scale + shift (x, y), inside the
window (x_min, y_min, x_max, y_max) only. `photograph` is -1 for an unused tile."""

VIEW_DTYPE = np.dtype(
    [
        ("pixels", "u1", (VIEW, VIEW, 3)),
        ("tiles", TILE_DTYPE, (MOST_TILES,)),
        ("boxes", "<f2", (ANCHORS, 4)),
        ("logits", "<f2", (ANCHORS,)),
        ("landmarks", "<f2", (ANCHORS, 10)),
    ]
)
"""A rendered view (RGB, black outside the photographs) with the teacher's offsets and face logits."""

MOSAIC_SHARE, WHOLE_SHARE = 0.35, 0.25
FACE_SIDES = (8.0, 300.0)
"""Range of face heights in pixels that the random crops aim at, drawn on a logarithmic scale."""
MOST_ENLARGED = 3.0
LONG_SIDES = (480.0, 1600.0)
"""Range of a photograph's longer side in pixels of a crop view; smaller ones stand in mosaics."""

Tiles = NDArray[np.void]
Pixels = NDArray[np.uint8]


def plan_view(
    draw: np.random.Generator, photographs: Sequence[Photograph], sizes: NDArray[np.int64]
) -> Tiles:
    """Choose the photographs of a view and how they stand in it.

    Args:
        draw: Random numbers; the plan depends on nothing else.
        photographs: What to choose from.
        sizes: int [len(photographs), 2], height and width of each photograph in pixels.

    Returns:
        TILE_DTYPE [MOST_TILES].
    """
    tiles = np.zeros(MOST_TILES, TILE_DTYPE)
    tiles["photograph"] = -1
    kind = draw.random()
    if kind < MOSAIC_SHARE:
        for index in range(4):
            x, y = TILE * (index % 2), TILE * (index // 2)
            tiles[index] = _whole(draw, sizes, (x, y, x + TILE, y + TILE), (0.6, 1.6))
    elif kind < MOSAIC_SHARE + WHOLE_SHARE:
        tiles[0] = _whole(draw, sizes, (0, 0, VIEW, VIEW), (0.7, 1.25))
    else:
        tiles[0] = _crop(draw, photographs, sizes)
    return tiles


def _whole(
    draw: np.random.Generator,
    sizes: NDArray[np.int64],
    window: tuple[int, int, int, int],
    factors: tuple[float, float],
) -> tuple[int, float, tuple[float, float], tuple[int, int, int, int]]:
    """A whole photograph: half of the time exactly as a letterbox shows it, else scaled and shifted."""
    index = int(draw.integers(len(sizes)))
    height, width = sizes[index]
    side = window[2] - window[0]
    scale = side / max(height, width)
    if draw.random() < 0.5:
        return index, scale, (window[0], window[1]), window
    scale *= float(np.exp(draw.uniform(*np.log(factors))))
    x = window[0] + _slack(draw, side - width * scale)
    y = window[1] + _slack(draw, side - height * scale)
    return index, scale, (x, y), window


def _slack(draw: np.random.Generator, free: float) -> float:
    return float(draw.uniform(min(free, 0.0), max(free, 0.0)))


def _crop(
    draw: np.random.Generator, photographs: Sequence[Photograph], sizes: NDArray[np.int64]
) -> tuple[int, float, tuple[float, float], tuple[int, int, int, int]]:
    """A piece of one photograph: around a marked face of a drawn size, else anywhere at a drawn scale."""
    index = int(draw.integers(len(sizes)))
    height, width = sizes[index]
    window = (0, 0, VIEW, VIEW)
    boxes = photographs[index].image.boxes_xyxy
    if len(boxes) and draw.random() < 0.8:
        x_min, y_min, x_max, y_max = boxes[draw.integers(len(boxes))]
        side = float(np.exp(draw.uniform(*np.log(FACE_SIDES))))
        scale = _limited(side / max(y_max - y_min, 1.0), max(height, width))
        place = draw.uniform(0.1, 0.9, 2) * VIEW
        centre = np.array([x_min + x_max, y_min + y_max]) / 2
        shift = place - centre * scale
        return index, scale, (float(shift[0]), float(shift[1])), window
    scale = _limited(np.exp(draw.uniform(*np.log(LONG_SIDES))) / max(height, width), max(height, width))
    return index, scale, (_slack(draw, VIEW - width * scale), _slack(draw, VIEW - height * scale)), window


def _limited(scale: float, long_side: int) -> float:
    """At most MOST_ENLARGED, but the photograph fills a good part of the view in any case."""
    return float(max(min(scale, MOST_ENLARGED), LONG_SIDES[0] / long_side))


def render(tiles: Tiles, photographs: Sequence[Photograph], smooth: bool) -> tuple[Pixels, NDArray[np.bool_]]:
    """Draw a view.

    Args:
        tiles: TILE_DTYPE [MOST_TILES].
        photographs: What the tiles' indices mean.
        smooth: Average pixels when shrinking; False aliases as the letterbox of a phone does.

    Returns:
        uint8 RGB [VIEW, VIEW, 3], black outside the photographs, and bool [VIEW, VIEW], True inside.
    """
    pixels = np.zeros((VIEW, VIEW, 3), np.uint8)
    inside = np.zeros((VIEW, VIEW), bool)
    for tile in tiles[tiles["photograph"] >= 0]:
        image = load_rgb(photographs[tile["photograph"]].image.path)
        scale, (x, y) = float(tile["scale"]), tile["shift"].astype(float)
        left, top, right, bottom = (int(v) for v in tile["window"])
        shrunk = 1.0
        if smooth and scale < 0.7:
            shrunk = scale * 1.2
            image = np.asarray(
                cv2.resize(image, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA), np.uint8
            )
        ratio = scale / shrunk
        # Pixel centres stand at +0.5 in the geometry of boxes and at 0 in warpAffine's.
        move = np.array([[ratio, 0, x - left + ratio / 2 - 0.5], [0, ratio, y - top + ratio / 2 - 0.5]])
        size = (right - left, bottom - top)
        pixels[top:bottom, left:right] = cv2.warpAffine(
            image, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        columns = np.arange(left, right) + 0.5
        rows = np.arange(top, bottom) + 0.5
        height, width = image.shape[0] * ratio, image.shape[1] * ratio
        here = ((rows >= y) & (rows < y + height))[:, None] & ((columns >= x) & (columns < x + width))[None]
        pixels[top:bottom, left:right][~here] = 0
        inside[top:bottom, left:right] = here
    return pixels, inside


def draw_view(
    draw: np.random.Generator,
    photographs: Sequence[Photograph],
    sizes: NDArray[np.int64],
    view: np.void,
) -> NDArray[np.bool_]:
    """Plan and render a view into one VIEW_DTYPE row; see `plan_view` and `render` for what comes back."""
    view["tiles"] = plan_view(draw, photographs, sizes)
    view["pixels"], inside = render(view["tiles"], photographs, bool(draw.random() < 0.5))
    return inside


@dataclass(frozen=True, eq=False)
class Faces:
    """Marked faces in pixels of a view or of a crop.

    Attributes:
        boxes_xyxy: float32 [K, 4].
        landmarks: float32 [K, 5, 2], as in LabelledImage; NaN where not marked.
        ignore: bool [K].
    """

    boxes_xyxy: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    ignore: NDArray[np.bool_]


def truth_of(tiles: Tiles, photographs: Sequence[Photograph]) -> Faces:
    """The marked faces whose centre is in a view, their boxes clipped to their tile."""
    boxes, points = [np.zeros((0, 4), np.float32)], [np.zeros((0, 5, 2), np.float32)]
    ignore = [np.zeros(0, bool)]
    for tile in tiles[tiles["photograph"] >= 0]:
        image = photographs[tile["photograph"]].image
        here = image.boxes_xyxy * tile["scale"] + np.tile(tile["shift"], 2)
        low, high = tile["window"][:2], tile["window"][2:]
        centre = (here[:, :2] + here[:, 2:]) / 2
        keep = ((centre >= low) & (centre < high)).all(axis=1)
        boxes.append(np.clip(here[keep], np.tile(low, 2), np.tile(high, 2)).astype(np.float32))
        points.append((image.landmarks[keep] * tile["scale"] + tile["shift"]).astype(np.float32))
        ignore.append(image.ignore[keep])
    return Faces(np.concatenate(boxes), np.concatenate(points), np.concatenate(ignore))
