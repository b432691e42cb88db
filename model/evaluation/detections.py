"""A model's detections on a set of images: over processes, with progress, resumed where it was stopped."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from calibration_data import images
from calibration_data.images import load_rgb
from model.evaluation.protocol import InputProtocol, detect_image
from model.foundation.artifact import sha256_of, tool_versions, write_json
from model.foundation.errors import InputError
from model.geometry.boxes import Detections
from model.geometry.spec import DetectorSpec
from model.runtime.running import RunningModel, open_model

DEFAULT_CACHE = Path("build/evaluation")
FORMAT = 1
"""Raised when what is stored, or how detections arise, changes: earlier files are then not resumed."""


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
    protocol: InputProtocol = field(default_factory=InputProtocol)
    processes: int = 1
    cache: Path | None = DEFAULT_CACHE
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class ImageDetections:
    """Detections in one image, in its pixels, and its size."""

    found: Detections
    height: int
    width: int


def detect_all(job: DetectionJob, quiet: bool = False) -> dict[str, ImageDetections]:
    """Run the job and return the detections of every image by name, in the order of `job.images`.

    Finished images are appended to a file in `job.cache` named by the hash of the model, the spec,
    the protocol and the runtime; a later run with the same continues there.

    Raises:
        InputError: the model or an image cannot be used, or the model file changed meanwhile.
    """
    store = None if job.cache is None else _Store(job)
    done = {} if store is None else store.read()
    waiting = [(name, path) for name, path in job.images.items() if name not in done]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task(
            job.model.name, total=len(job.images), completed=len(job.images) - len(waiting)
        )
        for name, one in _run(job, waiting):
            done[name] = one
            if store is not None:
                store.append(name, job.images[name], one)
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
            yield name, _detect_file(running, path, job.protocol)
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
        return _detect_file(_worker[0], path, _worker[1])
    except InputError as error:
        return str(error)


def _detect_file(running: RunningModel, path: Path, how: InputProtocol) -> ImageDetections:
    image = load_rgb(path)
    return ImageDetections(detect_image(running, image, how), *image.shape[:2])


def _code_hash() -> str:
    """Hash of the code that turns files into detections: what an older version found is not resumed."""
    here = Path(__file__).parent
    folders = [here, here.parent / "geometry", here.parent / "runtime", Path(images.__file__).parent]
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return hashlib.sha256("".join(sha256_of(path) for path in files).encode()).hexdigest()


class _Store:
    """JSON lines: image, its size on disk and its detections, one line an image."""

    def __init__(self, job: DetectionJob) -> None:
        assert job.cache is not None
        facts = {
            "format": FORMAT,
            "model": sha256_of(job.model),
            "spec": None if job.spec is None else job.spec.to_json(),
            "recorded_spec": open_model(job.model, job.spec).spec.to_json(),
            "protocol": job.protocol.to_json(),
            "code": _code_hash(),
            "versions": tool_versions(
                "ai-edge-litert", "onnxruntime", "torch", "pillow", "opencv-python-headless"
            ),
        }
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        self._path = job.cache / f"{job.model.stem}_{key}.jsonl"
        self._images = job.images
        job.cache.mkdir(parents=True, exist_ok=True)
        if not self._path.is_file():
            write_json(self._path.with_suffix(".json"), facts)

    def read(self) -> dict[str, ImageDetections]:
        """Finished images whose file has not changed; a line that a kill cut short is dropped."""
        found: dict[str, ImageDetections] = {}
        if not self._path.is_file():
            return found
        content = self._path.read_bytes()
        if content and not content.endswith(b"\n"):
            with self._path.open("r+b") as stream:
                stream.truncate(content.rfind(b"\n") + 1)
        for line in content.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            path = self._images.get(entry["name"])
            if path is not None and entry["file"] == _fingerprint(path):
                found[entry["name"]] = _unpacked(entry)
        return found

    def append(self, name: str, path: Path, one: ImageDetections) -> None:
        entry = {"name": name, "file": _fingerprint(path), **_packed(one)}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")


def _fingerprint(path: Path) -> list[Any]:
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def _packed(one: ImageDetections) -> dict[str, Any]:
    found = one.found
    rows = np.concatenate([found.boxes_xyxy, found.scores[:, None], found.landmarks.reshape(-1, 10)], axis=1)
    data = base64.b64encode(np.ascontiguousarray(rows, "<f4").tobytes()).decode()
    return {"height": one.height, "width": one.width, "rows": data}


def _unpacked(entry: dict[str, Any]) -> ImageDetections:
    rows = np.frombuffer(base64.b64decode(entry["rows"]), "<f4").astype(np.float32).reshape(-1, 15)
    found = Detections(rows[:, :4], rows[:, 4], rows[:, 5:].reshape(-1, 5, 2))
    return ImageDetections(found, entry["height"], entry["width"])
