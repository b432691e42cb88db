"""What the demo app finds on a phone, scored like what this computer finds on the same images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmark.accuracy.evaluation import Evaluation, Run, evaluate
from benchmark.adb.facts import MachineFacts
from benchmark.devices.app_result import AppResult, AppVersion
from benchmark.devices.kinds.app import AppMachine, AppRun
from benchmark.devices.machine import RunRequest
from benchmark.errors import DeviceError
from benchmark.phone.batches import detect_in_batches
from calibration_data.image_set import ImageSet
from model.evaluation.detections import DetectionJob, ImageDetections, detect_all
from model.evaluation.protocol import InputProtocol
from model.foundation.artifact import sha256_of
from model.geometry.boxes import Detections
from model.runtime.running import open_model


@dataclass(frozen=True)
class PhoneFigures:
    """One model on one set, on a phone and here; `app` is the app that detected, with its runtime."""

    phone: Evaluation
    host: Evaluation
    app: AppVersion


@dataclass(frozen=True)
class PhoneFile:
    """What `evaluate-phone` writes."""

    machine: MachineFacts
    models: tuple[PhoneFigures, ...]
    made_at: str


def measured_on(machine: AppMachine, request: RunRequest, images: ImageSet, parts: Path) -> PhoneFigures:
    """Detect on the phone and here, letterboxed, and score both.

    Args:
        machine: The phone.
        request: Model, threads and delegate.
        images: What to detect on, labelled.
        parts: Folder for what the phone has finished, so that an interrupted run goes on.

    Raises:
        DeviceError: the phone or the app fails, or it left out an image.
        InputError: an image is unreadable here.
    """
    protocol = InputProtocol()
    task = AppRun(("detect",), images.images, images.name, protocol.score_floor)
    result, model = detect_in_batches(machine, request, task, parts), request.model
    phone = phone_detections(result, images.images)
    here = detect_all(DetectionJob(model, None, images.images, protocol, cache=None), quiet=True)
    spec, sha256 = open_model(model).spec, sha256_of(model)
    there, host = (evaluate(Run(model, sha256, spec, protocol, images, found)) for found in (phone, here))
    return PhoneFigures(there, host, result.app)


def phone_detections(result: AppResult, images: Mapping[str, Path]) -> dict[str, ImageDetections]:
    """The app's detections by image name, in pixels of the upright image.

    Raises:
        DeviceError: the app could not read an image, or left one out.
    """
    found: dict[str, ImageDetections] = {}
    for entry in result.images or ():
        name = entry.file.split("/", 2)[-1]
        if entry.error or entry.height is None or entry.width is None:
            raise DeviceError(f"the phone could not use {name}: {entry.error}")
        faces = entry.detections
        detections = Detections(
            np.array([face.box_xyxy for face in faces], np.float32).reshape(-1, 4),
            np.array([face.score for face in faces], np.float32),
            np.array([face.landmarks_xy for face in faces], np.float32).reshape(-1, 5, 2),
        )
        found[name] = ImageDetections(detections, entry.height, entry.width)
    if missing := sorted(set(images) - set(found)):
        raise DeviceError(f"the app left out {len(missing)} of {len(images)} images, first {missing[0]}")
    return found


def table_of(found: PhoneFigures) -> Table:
    """Each metric on the phone, here, and the difference."""
    title = f"{found.phone.model} on {found.phone.set}, {found.phone.images} images"
    table = Table("", "phone", "host", "difference", title=title)
    for name, one in found.phone.metrics.items():
        other = found.host.metrics[name]
        if one is None or other is None:
            table.add_row(name, "-", "-", "-")
        else:
            table.add_row(name, f"{one:.4f}", f"{other:.4f}", f"{one - other:+.4f}")
    return table
