"""Image files -> upright uint8 RGB, whatever they hold; what cannot be read is named and counted."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.foundation.damage import DAMAGED, damage_is_said
from model.foundation.errors import InputError

Pixels = NDArray[np.uint8]

MAX_PIXELS = 100_000_000
"""Larger images are refused: decoded they would take more than 300 MB each."""

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"}
)

_TRANSPOSED = frozenset({5, 6, 7, 8})
"""EXIF orientations that exchange width and height."""

_EXIF_ORIENTATION = 0x0112


def load_rgb(path: Path) -> Pixels:
    """Read an image as a viewer would show it.

    EXIF rotation is applied; grey, palette and CMYK become RGB; 16-bit values keep their upper 8 bits;
    transparent pixels are laid over white; of an animation the first frame is taken.

    Returns:
        uint8 RGB [H, W, 3].

    Raises:
        InputError: no such file, not an image, truncated, of more than MAX_PIXELS pixels, or of
            floating-point pixels, whose range nobody knows.
    """
    with _open(path) as image, damage_is_said(f"{path}: broken image"):
        image.load()
        upright = ImageOps.exif_transpose(image)
        pixels = np.asarray(_to_rgb(upright))
    return np.ascontiguousarray(pixels)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels of the upright image, from the file's header only.

    Raises:
        InputError: no such file, not an image, or of more than MAX_PIXELS pixels.
    """
    with _open(path) as image:
        width, height = image.size
        with damage_is_said(f"{path}: broken image"):
            orientation = image.getexif().get(_EXIF_ORIENTATION)
    return (width, height) if orientation in _TRANSPOSED else (height, width)


def _open(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS decides, below
            image = Image.open(path)
    except FileNotFoundError:
        raise InputError(f"no such image: {path}") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path}: more than {MAX_PIXELS:,} pixels; scale it down first") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image ({_beginning(path)})") from None
    except DAMAGED as error:
        raise InputError(f"{path}: broken image ({error})") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise InputError(f"{path}: {width}x{height} is more than {MAX_PIXELS:,} pixels; scale it down first")
    if image.mode == "F":
        image.close()
        raise InputError(f"{path}: floating-point pixels; save it with 8 or 16 bits a channel first")
    return image


def _beginning(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(64)
    if not head:
        return "the file is empty"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer: fetch the file itself with git lfs pull"
    return (
        "HTML"
        if head.lstrip().lower().startswith((b"<!doctype", b"<html"))
        else f"it begins with {head[:8]!r}"
    )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion clips at 255
        grey = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(grey, 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def list_images(folder: Path) -> list[Path]:
    """All image files below a folder, by name (hidden ones left out), in a reproducible order.

    Raises:
        InputError: no such folder, no image in it, or one whose name no record can hold.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise InputError(f"expected a folder of images at {folder}, found {found}")
    images = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not images:
        raise InputError(f"no image in {folder}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    if strange := [path for path in images if any("\ud800" <= letter <= "\udfff" for letter in path.name)]:
        raise InputError(f"{strange[0]}: a name of a file that is not UTF-8; rename it (convmv does)")
    return sorted(images, key=lambda path: path.relative_to(folder).as_posix())


@dataclass(frozen=True)
class BrokenImage:
    """A file that could not be read, and why, in one line."""

    path: Path
    reason: str


class ReadableImages:
    """Walks over image files, yields those that can be read and remembers those that cannot.

    Attributes:
        broken: What was skipped so far, in order.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = list(paths)
        self.broken: list[BrokenImage] = []

    def __len__(self) -> int:
        """Number of files, readable or not."""
        return len(self._paths)

    def __iter__(self) -> Iterator[tuple[Path, Pixels]]:
        """Each readable file with its pixels, uint8 RGB [H, W, 3]."""
        self.broken.clear()
        for path in self._paths:
            try:
                pixels = load_rgb(path)
            except InputError as error:
                self.broken.append(BrokenImage(path, str(error)))
                continue
            yield path, pixels


def describe_broken(broken: Sequence[BrokenImage], shown: int = 3) -> str:
    """One line that counts and names broken images; empty when there are none."""
    if not broken:
        return ""
    rest = f"; and {len(broken) - shown} more" if len(broken) > shown else ""
    return (
        f"{len(broken)} broken image(s) skipped: " + "; ".join(item.reason for item in broken[:shown]) + rest
    )
