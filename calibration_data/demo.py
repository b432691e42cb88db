"""The embedded demo set: photographs composed, seeded, from what scikit-image's wheel carries.

For first use without any download: every face is pasted, so every box is known exactly. It is no
substitute for photographs of the intended use: one portrait and a hundred tiny grey faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from calibration_data.images import Pixels, load_rgb
from model.foundation.artifact import replacing
from model.geometry.boxes import MIRRORED_POINTS

SPLITS = {"calibration": 64, "evaluation": 64}
BACKGROUNDS = (
    "chelsea.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "rocket.jpg",
)
LFW_FACES = 100
"""The first hundred crops of lfw_subset.npy are faces, the others are not."""


@dataclass(frozen=True)
class Face:
    """A patch with one face in it.

    Attributes:
        patch: uint8 RGB [h, w, 3].
        box_xyxy: float32 [4] in pixels of the patch.
        landmarks: float32 [5, 2], (x, y) in pixels of the patch; NaN where unknown.
    """

    patch: Pixels
    box_xyxy: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def write_demo_set(folder: Path, seed: int = 0) -> None:
    """Compose both splits: `folder/{calibration,evaluation}/images/*.png` and their `label.txt`.

    The splits share the portrait and the backgrounds, which are too few to part, but no grey face and
    no composition. The same seed gives the same pixels.
    """
    data = Path(skimage.data.__file__).parent
    backgrounds = [load_rgb(data / name) for name in BACKGROUNDS]
    portrait = _portrait(load_rgb(data / "astronaut.png"))
    small = _small_faces(data / "lfw_subset.npy")
    for index, (split, count) in enumerate(SPLITS.items()):
        rng = np.random.default_rng([seed, index])
        lines: list[str] = []
        for number in range(count):
            name = f"demo_{number:03d}.png"
            pixels, faces = compose(rng, backgrounds, portrait, small[index :: len(SPLITS)])
            with replacing(folder / split / "images" / name) as path:
                Image.fromarray(pixels).save(path, compress_level=1)
            lines += [f"# {name}", *(_label(face) for face in faces)]
        with replacing(folder / split / "label.txt") as path:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def compose(
    rng: np.random.Generator, backgrounds: list[Pixels], portrait: Face, small: list[Face]
) -> tuple[Pixels, list[Face]]:
    """One picture of 400 to 640 pixels a side and the faces in it, in pixels of the picture."""
    canvas = _background(rng, backgrounds)
    faces: list[Face] = []
    taken: list[tuple[int, int, int, int]] = []
    for _ in range(int(rng.integers(1, 7))):
        large = rng.random() < 0.7  # the grey crops lack the surroundings that detectors look for
        face = portrait if large else small[rng.integers(len(small))]
        side = float(np.exp(rng.uniform(np.log(24), np.log(260 if large else 70))))
        placed = _placed(rng, canvas, _varied(rng, face, side), taken)
        if placed is not None:
            faces.append(placed)
    return _weather(rng, canvas), faces


def _portrait(image: Pixels) -> Face:
    x, y = 130, 0
    points = [(203.3, 101.3), (246.3, 103.1), (224.4, 128.0), (201.7, 138.9), (245.8, 140.3)]
    return Face(
        image[y : y + 230, x : x + 190].copy(),
        np.array([180 - x, 52 - y, 270 - x, 178 - y], np.float32),
        np.array(points, np.float32) - np.array([x, y], np.float32),
    )


def _small_faces(path: Path) -> list[Face]:
    grey = np.load(path)[:LFW_FACES]
    box = np.array([2.5, 0.5, 22.5, 24.5], np.float32)
    patches = np.repeat((grey * 255).round().astype(np.uint8)[..., None], 3, axis=3)
    return [Face(patch, box, np.full((5, 2), np.nan, np.float32)) for patch in patches]


def _background(rng: np.random.Generator, backgrounds: list[Pixels]) -> Pixels:
    source = backgrounds[rng.integers(len(backgrounds))]
    height, width = (int(side) for side in rng.integers(400, 641, size=2))
    scale = max(height / source.shape[0], width / source.shape[1]) * rng.uniform(1.0, 1.5)
    big = cv2.resize(source, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    top = int(rng.integers(big.shape[0] - height + 1))
    left = int(rng.integers(big.shape[1] - width + 1))
    return np.ascontiguousarray(big[top : top + height, left : left + width], np.uint8)


def _varied(rng: np.random.Generator, face: Face, side: float) -> Face:
    """The face with its longer side `side` pixels, perhaps mirrored, in another light."""
    scale = side / float((face.box_xyxy[2:] - face.box_xyxy[:2]).max())
    height, width = (max(1, round(n * scale)) for n in face.patch.shape[:2])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    patch = np.asarray(cv2.resize(face.patch, (width, height), interpolation=interpolation), np.uint8)
    factor = np.array([width / face.patch.shape[1], height / face.patch.shape[0]], np.float32)
    box, points = face.box_xyxy * np.tile(factor, 2), face.landmarks * factor
    if rng.random() < 0.5:
        patch = patch[:, ::-1]
        box = np.array([width - box[2], box[1], width - box[0], box[3]], np.float32)
        points = (points * np.array([-1, 1], np.float32) + np.array([width, 0], np.float32))[MIRRORED_POINTS]
    return Face(_lit(rng, patch), box, points)


def _lit(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    contrast, brightness = rng.uniform(0.6, 1.25), rng.uniform(-30, 30)
    lit = (pixels.astype(np.float32) - 128) * contrast + 128 + brightness
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _placed(
    rng: np.random.Generator, canvas: Pixels, face: Face, taken: list[tuple[int, int, int, int]]
) -> Face | None:
    """Paste into `canvas` where there is room; None if there is none after a few tries."""
    height, width = face.patch.shape[:2]
    if height > canvas.shape[0] or width > canvas.shape[1]:
        return None
    for _ in range(20):
        top = int(rng.integers(canvas.shape[0] - height + 1))
        left = int(rng.integers(canvas.shape[1] - width + 1))
        here = (left, top, left + width, top + height)
        if not any(_overlap(here, other) for other in taken):  # so that no face is hidden
            taken.append(here)
            canvas[top : top + height, left : left + width] = face.patch
            shift = np.array([left, top], np.float32)
            return Face(face.patch, face.box_xyxy + np.tile(shift, 2), face.landmarks + shift)
    return None


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _weather(rng: np.random.Generator, canvas: Pixels) -> Pixels:
    """A little blur or sensor noise on the whole picture."""
    if rng.random() < 0.3:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 8), canvas.shape)
        canvas = np.clip(canvas + noise, 0, 255).astype(np.uint8)
    return canvas


def _label(face: Face) -> str:
    """A line of RetinaFace's label.txt: x y w h, five landmarks with a flag, blur."""
    x, y, right, bottom = face.box_xyxy
    points = [
        "-1 -1 -1" if np.isnan(point).any() else f"{point[0]:.2f} {point[1]:.2f} 0"
        for point in face.landmarks
    ]
    return f"{x:.2f} {y:.2f} {right - x:.2f} {bottom - y:.2f} {' '.join(points)} 1"
