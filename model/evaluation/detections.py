"""A model's detections on a set of images: over processes, with progress, resumed where it was stopped."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import calibration_data
import model
from model.evaluation.loop import ImageDetections, detect_file
from model.evaluation.protocol import LETTERBOX, InputProtocol
from model.foundation.artifact import sha256_of, tool_versions
from model.foundation.errors import InputError
from model.foundation.journal import Journal
from model.geometry.boxes import Detections
from model.geometry.spec import DetectorSpec
from model.runtime.running import RunningModel, open_model

__all__ = ["DEFAULT_CACHE", "DetectionJob", "ImageDetections", "detect_all", "usable_cores"]

DEFAULT_CACHE = Path("build/evaluation")


@dataclass(frozen=True)
class DetectionJob:
    """Which model runs on which images, and how.

    Attributes:
        model: The model file.
        spec: Needed for a .pth; None takes the spec that the file carries.
        images: Name -> file, in order.
        protocol: How images are fed.
        processes: Processes that share the work; 1 runs in this one.
        cache: Folder for finished images; None neither resumes nor stores.
        sha256: Hash that the model file must have when the last image is done; None does not look.
    """

    model: Path
    spec: DetectorSpec | None
    images: dict[str, Path]
    protocol: InputProtocol = LETTERBOX
    processes: int = 1
    cache: Path | None = DEFAULT_CACHE
    sha256: str | None = None


def detect_all(job: DetectionJob, quiet: bool = False) -> dict[str, ImageDetections]:
    """Run the job and return the detections of every image by name, in the order of `job.images`.

    Finished images are appended to a file in `job.cache` named by the hash of the model, the spec,
    the protocol and the runtime; a later run with the same continues there.

    Raises:
        InputError: the model or an image cannot be used, or the model file changed meanwhile.
    """
    journal = _journal(job)
    done = {
        name: journal[name].detections()
        for name, path in job.images.items()
        if name in journal and journal[name].file == _fingerprint(path)
    }
    waiting = [(name, path) for name, path in job.images.items() if name not in done]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task(
            job.model.name, total=len(job.images), completed=len(job.images) - len(waiting)
        )
        for name, one in _run(job, waiting):
            done[name] = one
            journal.add(name, _Finished.of(job.images[name], one))
            progress.advance(task)
    if job.sha256 is not None and sha256_of(job.model) != job.sha256:
        raise InputError(f"{job.model} was replaced while it was evaluated; run again")
    return {name: done[name] for name in job.images}


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(job: DetectionJob, waiting: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, ImageDetections]]:
    if not waiting:
        return
    if job.processes <= 1 or len(waiting) < 2 * job.processes:
        running = open_model(job.model, job.spec, threads=max(1, job.processes))
        for name, path in waiting:
            yield name, detect_file(running, path, job.protocol)
        return
    # spawn: the runtimes' own threads do not survive a fork
    pool = ProcessPoolExecutor(
        job.processes,
        get_context("spawn"),
        initializer=_open_in_worker,
        initargs=(job.model, job.spec, job.protocol),
    )
    try:
        chunk = max(1, min(8, len(waiting) // (4 * job.processes)))
        results = pool.map(_detect_in_worker, [path for _, path in waiting], chunksize=chunk)
        for (name, _), result in zip(waiting, results, strict=True):
            if isinstance(result, str):
                raise InputError(result)
            yield name, result
    except BrokenProcessPool:
        raise InputError(
            f"a process that ran {job.model} died (out of memory?); what it finished is kept: "
            "run again with fewer --processes"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: tuple[RunningModel, InputProtocol] | str | None = None


def _open_in_worker(path: Path, spec: DetectorSpec | None, how: InputProtocol) -> None:
    global _worker  # noqa: PLW0603 - a pool's initializer has no other way to hand something on
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C ends the parent, which ends the pool
    try:
        _worker = (open_model(path, spec), how)
    except InputError as error:
        _worker = str(error)


def _detect_in_worker(path: Path) -> ImageDetections | str:
    if not isinstance(_worker, tuple):
        return _worker or "the process was not prepared"
    try:
        return detect_file(_worker[0], path, _worker[1])
    except InputError as error:
        return str(error)


@dataclass(frozen=True)
class _Finished:
    """An image's line in the journal.

    Attributes:
        file: Path, size in bytes and time of change: another file of this name is run again.
        height, width: Of the image in pixels.
        rows: Boxes, scores, classes and landmarks, float32 [K, 6 + 2 P], little-endian, as base64.
        points: P, landmarks of a face.
    """

    file: tuple[str, int, int]
    height: int
    width: int
    rows: str
    points: int = 5

    @classmethod
    def of(cls, path: Path, one: ImageDetections) -> _Finished:
        found = one.found
        points = found.landmarks.shape[1]
        one_each = np.stack([found.scores, found.classes], axis=1)
        columns = [found.boxes_xyxy, one_each, found.landmarks.reshape(len(found), 2 * points)]
        rows = np.ascontiguousarray(np.concatenate(columns, axis=1), "<f4")
        packed = base64.b64encode(rows.tobytes()).decode()
        return cls(_fingerprint(path), one.height, one.width, packed, points)

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


def _fingerprint(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path.resolve()), status.st_size, status.st_mtime_ns


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
    return hashlib.sha256("".join(sha256_of(path) for path in code_that_detects()).encode()).hexdigest()
