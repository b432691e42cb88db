"""An album: all photographs decoded once, with smaller copies, beside the faces in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from model.geometry.letterbox import Pixels

LEVELS = 4
"""A photograph is kept whole, and at a half, a quarter and an eighth: what is shrunk shall not flicker."""


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of one photograph.

    Attributes:
        boxes_xyxy: float32 [K, 4] in pixels of the photograph.
        sure: float32 [K], how sure it is that this is a face: 1 for a mark, 0 for what may be one.
        points: float32 [K, 5, 2], landmarks in pixels; NaN where not known.
    """

    boxes_xyxy: NDArray[np.float32]
    sure: NDArray[np.float32]
    points: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.sure)


NO_FACES = Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


@dataclass(frozen=True, eq=False)
class Album:
    """P photographs.

    Attributes:
        copies: Of each photograph LEVELS copies, uint8 RGB [H, W, 3], each half as large as the one before.
        size: int64 [P, 2], height and width of each in pixels.
        faces: Of each photograph.
    """

    copies: tuple[tuple[Pixels, ...], ...]
    size: NDArray[np.int64]
    faces: tuple[Faces, ...]

    def __len__(self) -> int:
        return len(self.faces)

    @classmethod
    def of(cls, photographs: Iterable[Pixels]) -> Album:
        """Take in photographs (uint8 RGB [H, W, 3]); nothing is known yet about their faces."""
        copies = tuple(_copies(image) for image in photographs)
        size = np.array([each[0].shape[:2] for each in copies], np.int64).reshape(-1, 2)
        return cls(copies, size, (NO_FACES,) * len(copies))

    def with_faces(self, faces: Sequence[Faces]) -> Album:
        """The album with what is known about each photograph's faces."""
        return replace(self, faces=tuple(faces))


def _copies(image: Pixels) -> tuple[Pixels, ...]:
    copies = [image]
    while len(copies) < LEVELS:
        half = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
        copies.append(image)
    return tuple(copies)
