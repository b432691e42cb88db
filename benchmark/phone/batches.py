"""Many images on a phone, a few at a time: little room is needed there, and what is done stays done."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmark.devices.app_result import AppImage, AppResult
from benchmark.devices.kinds.app import AppMachine, AppRun
from benchmark.devices.machine import RunRequest
from model.foundation.artifact import sha256_of
from model.foundation.journal import Journal
from model.foundation.records import fingerprint

BATCH = 64


def detect_in_batches(
    machine: AppMachine, request: RunRequest, task: AppRun, folder: Path, batch: int = BATCH
) -> AppResult:
    """Let the app find the faces of `task.images`, `batch` images a run.

    Args:
        machine: The phone.
        request: Model, threads and delegate.
        task: The images, at least one, and how to decode.
        folder: Where finished batches are kept: repeated after an interruption, only what is missing is done.
        batch: Images a run.

    Returns:
        The app's result of the last run, with the images of all.

    Raises:
        DeviceError: the phone or the app fails; finished batches are kept.
    """
    facts = {
        "model": sha256_of(request.model),
        "threads": request.threads,
        "delegate": request.delegate,
        "score_threshold": task.score_threshold,
        "image_set": task.image_set,
    }
    done = Journal.about(folder, request.model.stem, facts, AppResult)
    names = list(task.images)
    found: list[AppImage] = []
    for start in range(0, len(names), batch):
        images = {name: task.images[name] for name in names[start : start + batch]}
        key = _key(images)
        if key not in done:
            done.add(key, machine.measure(request, replace(task, images=images)))
            machine.forget_images(task.image_set)
        result = done[key]
        found += result.images or ()
    return replace(result, images=tuple(found))


def _key(images: Mapping[str, Path]) -> str:
    facts = {name: sha256_of(path) for name, path in images.items()}
    return hashlib.sha256(fingerprint(facts).encode()).hexdigest()
