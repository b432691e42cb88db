"""Cached views: what the teacher answers for them, written shard by shard, resumable.

On a CPU the teacher costs more than the student, so it looks at every view once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.foundation.artifact import read_json, replacing, write_json
from model.foundation.errors import InputError
from model.training.photographs import Photograph, photograph_sizes, trainable
from model.training.teacher import Teacher
from model.training.views import VIEW_DTYPE, draw_view

SHARD = 64
"""Views of a file: about 110 MB."""
MANIFEST = "views.json"


@dataclass(frozen=True)
class Teaching:
    """What a folder of views is made of; all shards of a folder agree in it.

    Attributes:
        network: Name of the teacher.
        checkpoint_sha256: Of the teacher's weights.
        mirrored: Whether the answers are averages over a view and its mirror image.
        seed: Of the views.
        photographs: Keys of the photographs in the order of the tiles' indices.
    """

    network: str
    checkpoint_sha256: str
    mirrored: bool
    seed: int
    photographs: tuple[str, ...]


def shard_path(folder: Path, index: int) -> Path:
    """Where a shard stands."""
    return folder / f"shard_{index:05d}.npy"


def shards(folder: Path) -> list[Path]:
    """The finished shards of a folder in their order."""
    return sorted(folder.glob("shard_*.npy"))


def teach(
    photographs: Sequence[Photograph], teacher: Teacher, output: Path, views: int, seed: int = 0
) -> int:
    """Render views, ask the teacher, and write what is missing of `views` views.

    Args:
        photographs: To draw from; the held-aside ones are left out here.
        teacher: Answers for each view.
        output: Folder of the shards.
        views: How many views there shall be, rounded up to whole shards.
        seed: Of the views. A shard depends on the seed and its index only.

    Returns:
        Number of shards written now.

    Raises:
        InputError: `output` holds views of another teacher, seed or set of photographs.
    """
    usable = trainable(photographs)
    keys = tuple(photograph.key for photograph in usable)
    _claim(output, Teaching(teacher.name, teacher.checkpoint_sha256, teacher.mirrored, seed, keys))
    sizes = photograph_sizes(usable)
    wanted = [index for index in range(-(-views // SHARD)) if not shard_path(output, index).exists()]
    columns = (TextColumn("views"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("", total=len(wanted) * SHARD)
        for index in wanted:
            draw = np.random.default_rng((seed, index))
            shard = np.zeros(SHARD, VIEW_DTYPE)
            for position in range(SHARD):
                view = shard[position : position + 1]  # one at a time: larger batches do not fit the caches
                teacher.answer(view, draw_view(draw, usable, sizes, view[0])[None])
                progress.advance(task)
            with replacing(shard_path(output, index)) as temporary:
                np.save(temporary, shard)
    return len(wanted)


def _claim(output: Path, teaching: Teaching) -> None:
    """Write the manifest of a new folder, or check that of an old one."""
    path = output / MANIFEST
    value = json.loads(json.dumps(asdict(teaching)))
    if path.is_file():
        if (found := read_json(path)) != value:
            differing = [name for name in value if found.get(name) != value[name]]
            raise InputError(
                f"{output} holds views with another {', '.join(differing)}: choose a new folder, or delete it"
            )
        return
    write_json(path, value)
