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
    """Scale an image to `width` pixels and draw boxes, landmarks and names of classes on it.

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
    canvas = cv2.resize(image_rgb, (width, max(1, round(image_rgb.shape[0] * scale))), interpolation=shrink)
    canvas = np.ascontiguousarray(canvas, np.uint8)
    colours = [SHOWN] * len(found) if colours is None else colours
    rows = zip(found.boxes_xyxy * scale, found.landmarks * scale, colours, found.classes, strict=True)
    for box, points, colour, kind in rows:
        x0, y0, x1, y1 = (int(v) for v in np.clip(np.round(box), -10_000, 10_000))
        cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, 2, cv2.LINE_AA)
        if names:
            foot = (max(x0, 0), max(y0 - 4, 12))
            cv2.putText(canvas, names[kind], foot, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
        if y1 - y0 >= 24:
            for x, y in np.clip(np.round(points), -10_000, 10_000).astype(int):
                cv2.circle(canvas, (int(x), int(y)), 2, colour, -1, cv2.LINE_AA)
    return np.asarray(canvas, np.uint8)


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
