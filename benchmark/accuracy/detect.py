"""One model on photographs, a video or a camera: what it finds, as records and pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.accuracy.drawing import draw_faces, jpeg, shown_names
from calibration_data.images import Pixels
from calibration_data.video import Pictures, VideoFile
from model.evaluation.detector import Detector
from model.foundation.artifact import replacing

WIDTH = 960
"""Of a drawn picture, in pixels."""

Take = Callable[[str, Pixels], None]
"""Does something with a picture whose faces are drawn: its name, uint8 RGB [H, W, 3]."""


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        score: Probability.
        box_xyxy: (x_min, y_min, x_max, y_max) in pixels of the picture.
        landmarks: (x, y) of each point in pixels of the picture.
        kind: Name of its class; empty for a detector of one.
    """

    score: float
    box_xyxy: tuple[float, ...]
    landmarks: tuple[tuple[float, ...], ...]
    kind: str = ""


@dataclass(frozen=True)
class Picture:
    """A photograph or frame, and the faces that a model finds in it, best score first.

    Attributes:
        image: Its file, or VIDEO#NUMBER.
        ms: From pixels to faces on this computer, in milliseconds.
    """

    image: str
    faces: tuple[Face, ...]
    ms: float


def detect_pictures(
    detector: Detector, pictures: Iterable[tuple[str, Pixels]], takers: Sequence[Take] = ()
) -> Iterator[Picture]:
    """Find the faces in pictures, one after the other.

    Args:
        detector: That is ready to run.
        pictures: Name and uint8 RGB [H, W, 3] of each.
        takers: Get each picture with its faces drawn.

    Raises:
        InputError: a picture is unreadable, or the model's outputs contradict its spec.
    """
    names = shown_names(detector.spec)
    for name, pixels in pictures:
        started = time.perf_counter()
        found = detector(pixels)
        ms = (time.perf_counter() - started) * 1e3
        drawn = draw_faces(pixels, found, width=WIDTH, names=names) if takers else pixels
        for take in takers:
            take(name, drawn)
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
        yield Picture(name, tuple(faces), round(ms, 2))


@contextmanager
def kept_in(folder: Path, source: str, pictures: Pictures) -> Iterator[Take]:
    """Keep drawn pictures in a folder: photographs as NAME.jpg, frames in one NAME.mp4."""
    if pictures.rate is None:
        yield lambda name, drawn: _write(folder / f"{Path(name).stem}.jpg", drawn)
        return
    name = f"camera_{source}" if source.isdecimal() else Path(source).stem
    with VideoFile(folder / f"{name}.mp4", pictures.rate).writing() as video:
        yield lambda _, drawn: video.add(drawn)


def _write(path: Path, picture_rgb: Pixels) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(jpeg(picture_rgb, 90))


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(float(value), 1) for value in values]
