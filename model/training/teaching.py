"""Cached views: what the teacher answers for them, written shard by shard, resumable.

On a CPU the teacher costs more than the student, so it looks at every view once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from calibration_data.images import image_size
from model.artifact import read_json, replacing, sha256_of, write_json
from model.blocks import Detector
from model.checkpoint import load_checkpoint
from model.errors import InputError
from model.networks import spec_of
from model.spec import DetectorSpec
from model.training.photographs import Photograph
from model.training.start import channels_last
from model.training.views import VIEW, VIEW_DTYPE, plan_view, render

SHARD = 64
BATCH = 1
MANIFEST = "views.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Teaching:
    """What a folder of views is made of; all shards of a folder agree in it.

    Attributes:
        network: Name of the teacher.
        checkpoint_sha256: Of the teacher's weights.
        seed: Of the views.
        photographs: Keys of the photographs in the order of the tiles' indices.
    """

    network: str
    checkpoint_sha256: str
    seed: int
    photographs: tuple[str, ...]


def shard_path(folder: Path, index: int) -> Path:
    """Where a shard stands."""
    return folder / f"shard_{index:05d}.npy"


def shards(folder: Path) -> list[Path]:
    """The finished shards of a folder in their order."""
    return sorted(folder.glob("shard_*.npy"))


def teach(
    photographs: Sequence[Photograph], checkpoint: Path, network: str, output: Path, views: int, seed: int = 0
) -> int:
    """Render views, ask the teacher, and write what is missing of `views` views.

    Args:
        photographs: To draw from; the held-aside ones are left out here.
        checkpoint: The teacher's weights.
        network: The teacher's name.
        output: Folder of the shards.
        views: How many views there shall be, rounded up to whole shards.
        seed: Of the views. A shard depends on the seed and its index only.

    Returns:
        Number of shards written now.

    Raises:
        InputError: `output` holds views of another teacher, seed or set of photographs.
    """
    usable = [photograph for photograph in photographs if not photograph.held_aside]
    if not usable:
        raise InputError("no photograph to draw views from: all are held aside, or the folders are empty")
    _claim(output, Teaching(network, sha256_of(checkpoint), seed, tuple(p.key for p in usable)))
    teacher = channels_last(load_checkpoint(checkpoint, network).network)
    spec = spec_of(network, VIEW, VIEW)
    sizes = np.array([image_size(photograph.image.path) for photograph in usable], np.int64)
    wanted = [index for index in range(-(-views // SHARD)) if not shard_path(output, index).exists()]
    with Progress() as progress:
        task = progress.add_task("views", total=len(wanted) * SHARD)
        for index in wanted:
            draw = np.random.default_rng((seed, index))
            shard = np.zeros(SHARD, VIEW_DTYPE)
            for start in range(0, SHARD, BATCH):
                part = shard[start : start + BATCH]
                insides = []
                for view in part:
                    view["tiles"] = plan_view(draw, usable, sizes)
                    view["pixels"], inside = render(view["tiles"], usable, bool(draw.random() < 0.5))
                    insides.append(inside)
                _answer(teacher, spec, part, np.stack(insides))
                progress.advance(task, BATCH)
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


def _answer(
    teacher: Detector, spec: DetectorSpec, views: NDArray[np.void], inside: NDArray[np.bool_]
) -> None:
    """Fill in boxes, logits and landmarks of rendered views, bool inside [B, VIEW, VIEW]."""
    pixels = views["pixels"].astype(np.float32)
    if spec.channel_order == "BGR":
        pixels = pixels[..., ::-1]
    pixels = pixels - np.asarray(spec.mean, np.float32)
    if spec.pad_rgb != (0, 0, 0):  # the teacher's border is its mean colour, the views' is black
        pixels[~inside] = 0.0
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        boxes, logits, landmarks = teacher.predict(teacher.features(batch))
    face = logits[..., -1] - logits[..., 0] if logits.shape[-1] == 2 else logits[..., 0]
    views["boxes"], views["landmarks"] = boxes.numpy(), landmarks.numpy()
    views["logits"] = face.numpy()
