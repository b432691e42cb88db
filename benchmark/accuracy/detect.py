"""One model on a few photographs: what it finds, as records and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmark.accuracy.drawing import draw_faces, shown_names
from calibration_data.images import load_rgb
from model.evaluation.detector import Detector
from model.foundation.artifact import replacing

WIDTH = 960
"""Of a picture, in pixels."""


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        score: Probability.
        box_xyxy: (x_min, y_min, x_max, y_max) in pixels of the photograph.
        landmarks: (x, y) of each point in pixels of the photograph.
        kind: Name of its class; empty for a detector of one.
    """

    score: float
    box_xyxy: tuple[float, ...]
    landmarks: tuple[tuple[float, ...], ...]
    kind: str = ""


@dataclass(frozen=True)
class Photograph:
    """A photograph and the faces that a model finds in it, best score first."""

    image: str
    faces: tuple[Face, ...]


def detect_photographs(
    detector: Detector, images: Sequence[Path], pictures: Path | None = None
) -> list[Photograph]:
    """Find the faces in photographs.

    Args:
        detector: That is ready to run.
        images: Photographs.
        pictures: Folder that gets each photograph with its faces drawn, as NAME.jpg.

    Raises:
        InputError: a photograph is unreadable, or the model's outputs contradict its spec.
    """
    photographs, names = [], shown_names(detector.spec)
    for path in images:
        pixels = load_rgb(path)
        found = detector(pixels)
        if pictures is not None:
            with replacing(pictures / f"{path.stem}.jpg") as temporary:
                Image.fromarray(draw_faces(pixels, found, width=WIDTH, names=names)).save(
                    temporary, quality=90
                )
        rows = zip(found.scores, found.boxes_xyxy, found.landmarks, found.classes, strict=True)
        faces = [
            Face(
                round(float(score), 4),
                tuple(_rounded(box)),
                tuple(tuple(_rounded(one)) for one in points),
                names[kind] if names else "",
            )
            for score, box, points, kind in rows
        ]
        photographs.append(Photograph(str(path), tuple(faces)))
    return photographs


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(float(value), 1) for value in values]
