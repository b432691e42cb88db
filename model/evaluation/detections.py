"""A model's detections on a set of images: over processes, with progress, resumed where it was stopped."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import calibration_data
import model
from model.evaluation.loop import ImageDetections, detect_file
from model.evaluation.protocol import LETTERBOX, InputProtocol
from model.foundation.artifact import sha256_of, sha256_of_all, tool_versions
from model.foundation.command_line.progress import progress_console
from model.foundation.errors import InputError
from model.foundation.journal import Journal
from model.foundation.workers import ALONE, Shard, Workers, chunks
from model.geometry.boxes import Detections
from model.geometry.spec import DetectorSpec
from model.runtime.running import RunningModel, open_model

__all__ = ["DEFAULT_CACHE", "DetectionJob", "ImageDetections", "detect_all"]

DEFAULT_CACHE = Path("build/evaluation")


@dataclass(frozen=True)
class DetectionJob:
    """Which model runs on which images, and how.

    Attributes:
        model: The model file.
        spec: Needed for a .pth; None takes the spec that the file carries.
        images: Name -> file, in order.
        protocol: How images are fed.
        workers: Who does the work.
        cache: Folder for finished images; None neither resumes nor stores.
        sha256: Hash that the model file must have when the last image is done; None does not look.
    """

    model: Path
    spec: DetectorSpec | None
    images: dict[str, Path]
    protocol: InputProtocol = LETTERBOX
    workers: Workers = ALONE
    cache: Path | None = DEFAULT_CACHE
    sha256: str | None = None

    def part(self, shard: Shard) -> DetectionJob:
        """The same job for a part of the images."""
        return replace(self, images=dict(shard.part(list(self.images.items()))))


def detect_all(job: DetectionJob, quiet: bool = False) -> dict[str, ImageDetections]:
    """Run the job and return the detections of every image by name, in the order of `job.images`.

    Finished images are appended to a file in `job.cache` named by the hash of the model, the spec,
    the protocol and the runtime; a later run with the same continues there.

    Raises:
        InputError: the model or an image cannot be used, or the model file changed meanwhile.
    """
    journal = _journal(job)
    hashes = {name: sha256_of(path) for name, path in job.images.items()}
    done = {
        name: journal[name].detections()
        for name, sha256 in hashes.items()
        if name in journal and journal[name].sha256 == sha256
    }
    waiting = [
        _Image(name, path.absolute(), hashes[name]) for name, path in job.images.items() if name not in done
    ]
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=progress_console(), disable=quiet) as progress:
        task = progress.add_task(
            job.model.name, total=len(job.images), completed=len(job.images) - len(waiting)
        )
        for image, one in _run(job, waiting):
            done[image.name] = one
            journal.add(image.name, _Finished.of(image.sha256, one))
            progress.advance(task)
    if job.sha256 is not None and sha256_of(job.model) != job.sha256:
        raise InputError(f"{job.model} was replaced while it was evaluated; run again")
    return {name: done[name] for name in job.images}


@dataclass(frozen=True)
class _Image:
    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class _Piece:
    """A few images for one model: what a worker is given."""

    model: Path
    sha256: str
    spec: DetectorSpec | None
    protocol: InputProtocol
    images: list[_Image]


def _run(job: DetectionJob, waiting: list[_Image]) -> Iterator[tuple[_Image, ImageDetections]]:
    sha256 = sha256_of(job.model)
    pieces = [
        _Piece(job.model.absolute(), sha256, job.spec, job.protocol, images)
        for images in chunks(waiting, job.workers)
    ]
    for piece, found in job.workers.each(_detect, pieces):
        yield from zip(piece.images, found, strict=True)


def _detect(piece: _Piece) -> list[ImageDetections]:
    running = _opened(piece.model, piece.sha256, piece.spec)
    found = []
    for image in piece.images:
        _require(image.path, image.sha256)
        found.append(detect_file(running, image.path, piece.protocol))
    return found


@lru_cache(maxsize=1)
def _opened(path: Path, sha256: str, spec: DetectorSpec | None) -> RunningModel:
    _require(path, sha256)
    return open_model(path, spec)


def _require(path: Path, sha256: str) -> None:
    if sha256_of(path) != sha256:
        raise InputError(f"{path} is another file here, or was replaced meanwhile; run again")


@dataclass(frozen=True)
class _Finished:
    """An image's line in the journal.

    Attributes:
        sha256: Of the image file: another file of this name is run again.
        height, width: Of the image in pixels.
        rows: Boxes, scores, classes and landmarks, float32 [K, 6 + 2 P], little-endian, as base64.
        points: P, landmarks of a face.
    """

    sha256: str
    height: int
    width: int
    rows: str
    points: int = 5

    @classmethod
    def of(cls, sha256: str, one: ImageDetections) -> _Finished:
        found = one.found
        points = found.landmarks.shape[1]
        one_each = np.stack([found.scores, found.classes], axis=1)
        columns = [found.boxes_xyxy, one_each, found.landmarks.reshape(len(found), 2 * points)]
        rows = np.ascontiguousarray(np.concatenate(columns, axis=1), "<f4")
        packed = base64.b64encode(rows.tobytes()).decode()
        return cls(sha256, one.height, one.width, packed, points)

    def detections(self) -> ImageDetections:
        rows = np.frombuffer(base64.b64decode(self.rows), "<f4").astype(np.float32)
        rows = rows.reshape(-1, 6 + 2 * self.points)
        points = rows[:, 6:].reshape(len(rows), self.points, 2)
        found = Detections(rows[:, :4], rows[:, 4], points, rows[:, 5].astype(np.intp))
        return ImageDetections(found, self.height, self.width)


def _journal(job: DetectionJob) -> Journal[_Finished]:
    if job.cache is None:
        return Journal(None, _Finished)
    facts = {
        "model": sha256_of(job.model),
        "spec": open_model(job.model, job.spec).spec,
        "given_spec": job.spec,
        "protocol": job.protocol,
        "code": code_hash(),
        "versions": tool_versions(
            "ai-edge-litert", "onnxruntime", "torch", "pillow", "opencv-python-headless"
        ),
    }
    return Journal.about(job.cache, job.model.stem, facts, _Finished)


def code_that_detects() -> list[Path]:
    """The modules that turn a model file and photographs into detections."""
    # Found and not imported: PyTorch would be loaded for files that do without.
    root = Path(model.__file__).parent
    folders = [root / name for name in ("geometry", "layers", "networks", "runtime")]
    folders.append(Path(calibration_data.__file__).parent)
    beside = [Path(__file__).with_name(name) for name in ("detections.py", "loop.py", "protocol.py")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted([*files, *beside, root / "checkpoint.py"])


def code_hash() -> str:
    """Hash of the code that detects: what an older version found is not resumed."""
    return sha256_of_all(code_that_detects())
