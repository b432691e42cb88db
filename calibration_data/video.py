"""What is looked at, picture by picture: photographs, a video file or a camera -> upright uint8 RGB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from calibration_data.images import IMAGE_SUFFIXES, Pixels, list_images, load_rgb
from model.foundation.artifact import replacing
from model.foundation.command_line.progress import chatter_aside
from model.foundation.errors import InputError

USUAL_RATE = 25.0
"""Frames a second of a camera that does not say its own."""


@dataclass(frozen=True)
class Pictures:
    """What a source holds, in order.

    Attributes:
        named: Name and pixels (uint8 RGB [H, W, 3]) of each: a photograph's file, or
            SOURCE#NUMBER of a frame.
        rate: Frames a second of a video or camera; None of photographs.
    """

    named: Iterable[tuple[str, Pixels]]
    rate: float | None = None


@contextmanager
def open_pictures(source: str) -> Iterator[Pictures]:
    """Open a photograph, a folder of them, a video file, or the camera of a number.

    Raises:
        InputError: there is no such source, or nothing in it that can be read.
    """
    path = Path(source)
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        files = list_images(path) if path.is_dir() else [path]
        yield Pictures((str(file), load_rgb(file)) for file in files)
        return
    if not source.isdecimal() and not path.is_file():
        raise InputError(f"expected a photograph, a folder, a video or a camera's number, found no {source}")
    with chatter_aside():
        capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    try:
        if not capture.isOpened():
            raise InputError(
                f"camera {source} cannot be opened: is it there (ls /dev/video*), and free?"
                if source.isdecimal()
                else f"{source}: neither an image nor a video that OpenCV can read"
            )
        yield Pictures(_frames(source, capture), capture.get(cv2.CAP_PROP_FPS) or USUAL_RATE)
    finally:
        capture.release()


def _frames(source: str, capture: cv2.VideoCapture) -> Iterator[tuple[str, Pixels]]:
    number = 0
    while True:
        with chatter_aside():
            there, bgr = capture.read()
        if not there:
            return
        yield f"{source}#{number}", np.ascontiguousarray(bgr[..., ::-1], np.uint8)
        number += 1


class VideoFile:
    """An .mp4 that pictures are added to; it stands there, whole, when the block ends without an error."""

    def __init__(self, path: Path, rate: float) -> None:
        """`rate` is in frames a second."""
        self._path, self._rate = path, rate
        self._writer: cv2.VideoWriter | None = None

    @contextmanager
    def writing(self) -> Iterator[VideoFile]:
        """Let pictures be added.

        Raises:
            InputError: the file cannot be written.
        """
        with replacing(self._path) as self._temporary:
            try:
                yield self
            finally:
                if self._writer is not None:
                    self._writer.release()
            if self._writer is None:
                raise InputError(f"{self._path} was not written: no picture could be read")

    def add(self, picture_rgb: Pixels) -> None:
        """Add uint8 RGB [H, W, 3], all of one size; an odd last row or column is left out."""
        even = picture_rgb[: picture_rgb.shape[0] // 2 * 2, : picture_rgb.shape[1] // 2 * 2]
        if self._writer is None:
            code, size = cv2.VideoWriter.fourcc(*"mp4v"), (even.shape[1], even.shape[0])
            self._writer = cv2.VideoWriter(str(self._temporary), code, self._rate, size)
            if not self._writer.isOpened():
                raise InputError(f"{self._path}: this build of OpenCV cannot write an .mp4")
        self._writer.write(np.ascontiguousarray(even[..., ::-1]))
