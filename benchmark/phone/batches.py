"""Many images on a phone, a few at a time: little room is needed there, and what is done stays done."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.devices.machine import RunRequest
from benchmark.phone.app import AppMachine, AppRun
from model.foundation.artifact import read_json, sha256_of, write_json

BATCH = 64


def detect_in_batches(
    machine: AppMachine, request: RunRequest, task: AppRun, folder: Path, batch: int = BATCH
) -> dict[str, Any]:
    """Let the app find the faces of `task.images`, `batch` images a run.

    Args:
        machine: The phone.
        request: Model, threads and delegate.
        task: The images and how to decode.
        folder: Where each batch's result is kept under the hash of all that it depends on: repeated after an
            interruption, only what is missing is done.
        batch: Images a run.

    Returns:
        The app's result of the last run, with the images of all.

    Raises:
        DeviceError: the phone or the app fails; finished batches are kept.
    """
    names = list(task.images)
    result: dict[str, Any] = {}
    rows: list[Any] = []
    for start in range(0, len(names), batch):
        images = {name: task.images[name] for name in names[start : start + batch]}
        path = folder / f"{_key(request, task, images)}.json"
        if not path.is_file():
            found = machine.measure(request, replace(task, images=images))
            machine.forget_images(task.image_set)
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, found)
        result = read_json(path)
        rows += result["images"]
    return {**result, "images": rows}


def _key(request: RunRequest, task: AppRun, images: Mapping[str, Path]) -> str:
    facts = (
        sha256_of(request.model),
        request.threads,
        request.delegate,
        task.score_threshold,
        task.image_set,
    )
    digest = hashlib.sha256(repr(facts).encode())
    for name, path in images.items():
        digest.update(f"{name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()[:32]
