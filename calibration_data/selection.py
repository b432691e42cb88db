"""Choose images for calibration, seeded, and record which: a manifest with a hash for each."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration_data.images import Pixels, ReadableImages, describe_broken, list_images, load_rgb
from model.foundation.artifact import read_json, sha256_of, write_json
from model.foundation.errors import InputError


@dataclass(frozen=True)
class Manifest:
    """A recorded choice of images.

    Attributes:
        folder: Where the images stand.
        files: Names below `folder`, in the order chosen.
        sha256: Each file's hash, in the same order.
        seed: Of the choice.
        skipped: Files that could not be read -> why.
    """

    folder: Path
    files: tuple[str, ...]
    sha256: tuple[str, ...]
    seed: int
    skipped: dict[str, str]

    @property
    def is_demo_set(self) -> bool:
        """Whether all of them are pictures of the embedded demo set."""
        return all(re.fullmatch(r"demo_\d{3}\.png", Path(name).name) for name in self.files)

    def load(self) -> list[Pixels]:
        """All images, uint8 RGB [H, W, 3] each.

        Raises:
            InputError: a file is gone, changed or unreadable.
        """
        images = []
        for name, expected in zip(self.files, self.sha256, strict=True):
            path = self.folder / name
            if not path.is_file() or sha256_of(path) != expected:
                raise InputError(f"{path} is not the image that was selected; select again")
            images.append(load_rgb(path))
        return images


def select_images(folder: Path, count: int, seed: int) -> tuple[Manifest, str]:
    """Choose up to `count` readable images below `folder` at random, by `seed`.

    Returns:
        The manifest, and one line that names and counts what could not be read (empty if all could).

    Raises:
        InputError: no such folder, or no readable image in it.
    """
    if count < 1:
        raise InputError(f"at least 1 image must be selected, found {count}")
    paths = list_images(folder)
    order = np.random.default_rng(seed).permutation(len(paths))
    readable = ReadableImages([paths[index] for index in order])
    chosen: list[Path] = []
    for path, _ in readable:
        chosen.append(path)
        if len(chosen) == count:
            break
    broken = describe_broken(readable.broken)
    if not chosen:
        raise InputError(f"no readable image in {folder}: {broken}")
    manifest = Manifest(
        folder,
        tuple(path.relative_to(folder).as_posix() for path in chosen),
        tuple(sha256_of(path) for path in chosen),
        seed,
        {item.path.relative_to(folder).as_posix(): item.reason for item in readable.broken},
    )
    return manifest, broken


def write_manifest(manifest: Manifest, path: Path) -> bool:
    """Write a manifest as JSON unless `path` holds the same already, so that `make` sees no change.

    Returns:
        Whether it was written.
    """
    value: dict[str, Any] = {
        "folder": os.path.relpath(manifest.folder, path.parent),
        "seed": manifest.seed,
        "images": [
            {"file": name, "sha256": digest}
            for name, digest in zip(manifest.files, manifest.sha256, strict=True)
        ],
        "skipped": manifest.skipped,
    }
    if path.is_file() and read_json(path) == value:
        return False
    write_json(path, value)
    return True


def read_manifest(path: Path) -> Manifest:
    """Read what `write_manifest` wrote.

    Raises:
        InputError: absent, or not a manifest.
    """
    value = read_json(path)
    try:
        return Manifest(
            path.parent / value["folder"],
            tuple(entry["file"] for entry in value["images"]),
            tuple(entry["sha256"] for entry in value["images"]),
            int(value["seed"]),
            dict(value["skipped"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is no manifest ({error!r}): make one with 'python -m calibration_data select'"
        ) from None
