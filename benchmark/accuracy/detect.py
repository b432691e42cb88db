"""One model on a few photographs: what it finds, as records and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmark.accuracy.drawing import draw_faces
from calibration_data.images import load_rgb
from model.evaluation.protocol import InputProtocol, detect_image
from model.foundation.artifact import replacing
from model.runtime.running import RunningModel

WIDTH = 960
"""Of a picture, in pixels."""


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        score: Probability.
        box_xyxy: (x_min, y_min, x_max, y_max) in pixels of the photograph.
        landmarks: (x, y) of each point in pixels of the photograph.
    """

    score: float
    box_xyxy: tuple[float, ...]
    landmarks: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Photograph:
    """A photograph and the faces that a model finds in it, best score first."""

    image: str
    faces: tuple[Face, ...]


def detect_photographs(
    model: RunningModel, images: Sequence[Path], score: float | None = None, pictures: Path | None = None
) -> list[Photograph]:
    """Run a model on photographs, letterboxed.

    Args:
        model: That is ready to run.
        images: Photographs.
        score: Faces above this score are shown; the spec's threshold if None.
        pictures: Folder that gets each photograph with its faces drawn, as NAME.jpg.

    Raises:
        InputError: a photograph is unreadable, or the model's outputs contradict its spec.
    """
    protocol = InputProtocol(score_floor=model.spec.score_threshold if score is None else score)
    photographs = []
    for path in images:
        pixels = load_rgb(path)
        found = detect_image(model, pixels, protocol)
        if pictures is not None:
            with replacing(pictures / f"{path.stem}.jpg") as temporary:
                Image.fromarray(draw_faces(pixels, found, width=WIDTH)).save(temporary, quality=90)
        rows = zip(found.scores, found.boxes_xyxy, found.landmarks, strict=True)
        faces = [
            Face(round(float(score), 4), tuple(_rounded(box)), tuple(tuple(_rounded(one)) for one in points))
            for score, box, points in rows
        ]
        photographs.append(Photograph(str(path), tuple(faces)))
    return photographs


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(float(value), 1) for value in values]
