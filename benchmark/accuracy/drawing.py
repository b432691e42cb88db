"""Detections drawn on photographs: one picture, or reference and candidate side by side."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmark.accuracy.evaluation import Run
from calibration_data.images import load_rgb
from model.evaluation.face_changes import FaceChanges
from model.foundation.artifact import replacing
from model.geometry.boxes import Detections
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec

SHOWN, CHANGED, MOVED = (40, 170, 90), (220, 50, 40), (240, 160, 0)
"""RGB: a face that both models show; one that only this model shows; one that moved."""


def draw_faces(
    image_rgb: Pixels,
    found: Detections,
    colours: Sequence[tuple[int, int, int]] | None = None,
    width: int = 480,
    names: Sequence[str] = (),
) -> Pixels:
    """Scale an image to `width` pixels and draw boxes, landmarks, scores and names of classes on it.

    Args:
        image_rgb: uint8 [H, W, 3].
        found: Faces in pixels of the image.
        colours: R, G, B of each face; SHOWN if None.
        width: Of the picture.
        names: Of the classes, see `shown_names`; none are written where there are none.

    Returns:
        uint8 RGB [H', width, 3].
    """
    scale = width / image_rgb.shape[1]
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = width, max(1, round(image_rgb.shape[0] * scale))
    canvas: Pixels = np.ascontiguousarray(cv2.resize(image_rgb, size, interpolation=shrink), np.uint8)
    colours = [SHOWN] * len(found) if colours is None else colours
    thick = max(1, round(width / 320))
    boxes, landmarks = (
        np.clip(np.round(one * scale), -10_000, 10_000).astype(int).tolist()
        for one in (found.boxes_xyxy, found.landmarks)
    )
    said = [f"{names[kind]} " if names else "" for kind in found.classes]
    rows = zip(boxes, landmarks, found.scores, colours, said, strict=True)
    for (x0, y0, x1, y1), points, score, colour, name in rows:
        cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thick, cv2.LINE_AA)
        if y1 - y0 >= 24:
            for x, y in points:
                cv2.circle(canvas, (x, y), thick + 1, colour, -1, cv2.LINE_AA)
            _label(canvas, f"{name}{score:.2f}", (x0, y0 - thick), colour)
    return canvas


def _label(canvas: Pixels, text: str, corner: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """White letters on the colour, above a box's upper left corner, but never outside of the canvas."""
    font, size, thick = cv2.FONT_HERSHEY_SIMPLEX, canvas.shape[1] / 1400, max(1, canvas.shape[1] // 640)
    (wide, high), under = cv2.getTextSize(text, font, size, thick)
    x, y = corner[0], max(corner[1], high + under)
    cv2.rectangle(canvas, (x, y - high - under), (x + wide, y), colour, -1)
    cv2.putText(canvas, text, (x, y - under // 2), font, size, (255, 255, 255), thick, cv2.LINE_AA)


def shown_names(spec: DetectorSpec) -> Sequence[str]:
    """Names of the classes of a detector that knows several; none where all that it finds is the same."""
    return spec.class_names if len(spec.class_names) > 1 else ()


def draw_side_by_side(
    image_rgb: Pixels,
    reference: Detections,
    candidate: Detections,
    changes: FaceChanges,
    width: int = 480,
    names: Sequence[str] = (),
) -> Pixels:
    """The reference's faces at the left, the candidate's at the right.

    Green is shown by both, red by this one only (lost at the left, gained at the right), orange moved.

    Returns:
        uint8 RGB [H', 2 * width + 8, 3], with a white line between.
    """
    left = [SHOWN] * len(reference)
    right = [SHOWN] * len(candidate)
    for first, second in changes.moved.tolist():
        left[first] = right[second] = MOVED
    for index in changes.lost.tolist():
        left[index] = CHANGED
    for index in changes.gained.tolist():
        right[index] = CHANGED
    pictures = [
        draw_faces(image_rgb, found, colours, width, names)
        for found, colours in ((reference, left), (candidate, right))
    ]
    gap = np.full((pictures[0].shape[0], 8, 3), 255, np.uint8)
    return np.concatenate([pictures[0], gap, pictures[1]], axis=1)


def draw_changes(name: str, reference: Run, candidate: Run, changes: FaceChanges) -> Pixels:
    """What two runs show in one image of their set; see `draw_side_by_side`."""
    image = load_rgb(reference.images.images[name])
    shown = candidate.found[name].found.above(reference.threshold)
    return draw_side_by_side(image, reference.shown(name), shown, changes, names=shown_names(reference.spec))


def draw_worst(
    folder: Path, reference: Run, candidate: Run, names: Sequence[str], changes: Mapping[str, FaceChanges]
) -> None:
    """Draw images into worst_01.jpg, worst_02.jpg ... and remove what an earlier drift drew there."""
    for old in folder.glob("worst_[0-9][0-9].jpg"):
        old.unlink()
    for number, name in enumerate(names, 1):
        with replacing(folder / f"worst_{number:02d}.jpg") as temporary:
            temporary.write_bytes(jpeg(draw_changes(name, reference, candidate, changes[name])))


def jpeg(image_rgb: Pixels, quality: int = 80) -> bytes:
    """Encode uint8 RGB [H, W, 3] as JPEG."""
    done, encoded = cv2.imencode(".jpg", image_rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture could not be encoded")
    return encoded.tobytes()


def data_url(image_rgb: Pixels, quality: int = 80) -> str:
    """The picture as a data: address, for a page that carries everything with it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(image_rgb, quality)).decode()
