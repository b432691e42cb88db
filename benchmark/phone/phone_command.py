"""`evaluate-phone`: the demo app detects on a phone; its AP stands beside this computer's on the same images.

What differs on a phone is more than the runtime: it decodes and scales the photographs itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmark.accuracy.evaluation import Evaluation, Run, evaluate
from benchmark.devices.arguments import add_target, counts_of, delegates_of, models_of, target_of
from benchmark.devices.errors import DeviceError
from benchmark.devices.machine import RunRequest
from benchmark.devices.opening import opened
from benchmark.devices.results import machine_facts, now
from benchmark.phone.app import AppMachine, AppRun
from benchmark.phone.batches import detect_in_batches
from calibration_data.image_set import ImageSet
from calibration_data.readers import LabelledImage, read_labels
from model.evaluation.detections import DetectionJob, ImageDetections, detect_all
from model.evaluation.protocol import InputProtocol
from model.foundation.artifact import sha256_of, write_json
from model.foundation.errors import InputError
from model.foundation.records import to_json
from model.geometry.boxes import Detections
from model.runtime.running import open_model


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate-phone", help="AP on a phone (demo app) beside this computer's", description=__doc__
    )
    add_target(parser)
    parser.set_defaults(device="adb", runner="app")
    parser.add_argument("--model", type=Path, nargs="+", required=True, metavar="FILE", help="TFLite files")
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="photographs")
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE", help="label file")
    parser.add_argument("--limit", type=int, metavar="N", help="only N images, evenly spread")
    parser.add_argument("--threads", default="4", help="threads on the phone (default: 4)")
    parser.add_argument("--delegate", default="xnnpack", help="xnnpack, none or gpu (default: xnnpack)")
    parser.add_argument("--output", type=Path, default=Path("build/benchmark/phone.json"), metavar="FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Detect on both, score both, print the difference.

    Raises:
        InputError: an option, a label or an image cannot be used, or the machine is no phone with the app.
        DeviceError: the phone or the app fails.
    """
    models, labels = (
        models_of(options.model),
        chosen(read_labels(options.labels, options.images), options.limit),
    )
    images = {one.name: one.path for one in labels}
    protocol = InputProtocol()
    task = AppRun(("detect",), images, options.images.resolve().name, protocol.score_floor)
    rows: list[dict[str, Any]] = []
    with opened(replace(target_of(options), task=task)) as ready:
        if not isinstance(ready.machine, AppMachine):
            raise InputError(
                "evaluate-phone needs an Android phone with the demo app: --device adb --runner app"
            )
        for model in models:
            request = RunRequest(
                model, counts_of(options.threads)[0], delegates_of(options.delegate)[0], max_seconds=900
            )
            with Console(stderr=True).status(f"{ready.machine.facts.name} detects on {len(images)} images"):
                result = detect_in_batches(ready.machine, request, task, parts_of(options.output))
            spec, image_set = open_model(model).spec, ImageSet(task.image_set, images, tuple(labels))
            here = detect_all(DetectionJob(model, None, images, protocol, cache=None), quiet=True)
            phone, host = (
                evaluate(Run(model, sha256_of(model), spec, protocol, image_set, found))
                for found in (phone_detections(result, images), here)
            )
            rows.append({"phone": to_json(phone), "host": to_json(host), "app": result["app"]})
            Console().print(_table(phone, host))
        write_json(
            options.output, {"machine": machine_facts(ready.machine), "models": rows, "made_at": now()}
        )
    return 0


def parts_of(output: Path) -> Path:
    """Where the finished batches of an evaluation are kept."""
    return output.with_name(f"{output.stem}_parts")


def chosen(labels: Sequence[LabelledImage], limit: int | None) -> list[LabelledImage]:
    """At most `limit` labelled images, evenly spread."""
    if limit is None or limit >= len(labels):
        return list(labels)
    if limit < 1:
        raise InputError(f"--limit must be 1 or more, found {limit}")
    return [labels[place] for place in np.linspace(0, len(labels) - 1, limit).round().astype(int)]


def phone_detections(result: Mapping[str, Any], images: Mapping[str, Path]) -> dict[str, ImageDetections]:
    """The app's detections by image name, in pixels of the upright image.

    Raises:
        DeviceError: the app could not read an image, or left one out.
    """
    found: dict[str, ImageDetections] = {}
    for entry in result.get("images") or []:
        name = str(entry["file"]).split("/", 2)[-1]
        if entry.get("error"):
            raise DeviceError(f"the phone could not use {name}: {entry['error']}")
        rows = entry["detections"]
        detections = Detections(
            np.array([row["box_xyxy"] for row in rows], np.float32).reshape(-1, 4),
            np.array([row["score"] for row in rows], np.float32),
            np.array([row["landmarks_xy"] for row in rows], np.float32).reshape(-1, 5, 2),
        )
        found[name] = ImageDetections(detections, int(entry["height"]), int(entry["width"]))
    if missing := sorted(set(images) - set(found)):
        raise DeviceError(f"the app left out {len(missing)} of {len(images)} images, first {missing[0]}")
    return found


def _table(phone: Evaluation, host: Evaluation) -> Table:
    table = Table(
        "", "phone", "host", "difference", title=f"{phone.model} on {phone.set}, {phone.images} images"
    )
    for name, one in phone.metrics.items():
        other = host.metrics[name]
        if one is None or other is None:
            table.add_row(name, "-", "-", "-")
        else:
            table.add_row(name, f"{one:.4f}", f"{other:.4f}", f"{one - other:+.4f}")
    return table
