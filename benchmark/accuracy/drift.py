"""`drift`: what changed between a reference model and a candidate on the same images, and how surely."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmark.accuracy.bootstrap import RESAMPLES
from benchmark.accuracy.drawing import draw_side_by_side, jpeg
from benchmark.accuracy.drift_record import Drift, DriftInput, measure_drift
from benchmark.accuracy.evaluation import EvaluatedModel
from benchmark.accuracy.options import (
    ImageSet,
    add_model_options,
    add_protocol_options,
    protocol_of,
    read_set,
    spec_for,
)
from benchmark.accuracy.wider_ground_truth import read_wider_ground_truth
from calibration_data.images import load_rgb
from model.evaluation.detections import DetectionJob, detect_all
from model.evaluation.face_changes import FaceChanges
from model.foundation.artifact import replacing, sha256_of, write_json
from model.foundation.errors import InputError
from model.runtime.running import open_model


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `python -m benchmark`."""
    command = subparsers.add_parser(
        "drift",
        help="difference between two models: AP with confidence intervals, faces lost, gained and moved",
        description=__doc__,
    )
    command.add_argument("--reference", type=Path, required=True, help="usually the float model")
    command.add_argument("--candidate", type=Path, required=True, help="usually the quantized model")
    command.add_argument("--images", type=Path, required=True)
    command.add_argument("--labels", type=Path, help="without labels the reference's detections stand in")
    command.add_argument("--name", help="name of the set in tables (default: its folder's)")
    command.add_argument(
        "--skip-absent", action="store_true", help="leave out labelled images that are not there"
    )
    command.add_argument("--wider-ground-truth", type=Path, help="folder of the official .mat files")
    command.add_argument(
        "--resamples", type=int, default=RESAMPLES, help="of the bootstrap (default: %(default)s)"
    )
    command.add_argument("--worst", type=int, default=8, help="images to draw (default: %(default)s)")
    command.add_argument(
        "--output", type=Path, help="folder for drift.json and the worst images, side by side"
    )
    add_model_options(command)
    add_protocol_options(command)
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, write and print."""
    if options.resamples < 1:
        raise InputError(f"--resamples: expected at least 1, found {options.resamples}")
    images = read_set(options.images, options.labels, options.name, options.skip_absent)
    images = images.sample(options.limit, options.seed)
    data = drift_input(options.reference, options.candidate, images, options)
    drift, changes = measure_drift(data, options.resamples, options.seed)
    if options.output is not None:
        write_drift(options.output, data, drift, changes, images, options.worst)
    if options.json:
        print(json.dumps(drift.to_json(), indent=2, allow_nan=False))
    else:
        print_drift(drift)
    return 0


def drift_input(
    reference: Path, candidate: Path, images: ImageSet, options: argparse.Namespace
) -> DriftInput:
    """Run both models on the images.

    Raises:
        InputError: a model or image cannot be used, or the models read images at different sizes.
    """
    subjects, found = [], []
    for path in (reference, candidate):
        given, protocol = spec_for(path, options), protocol_of(options)
        subjects.append(EvaluatedModel(path, sha256_of(path), open_model(path, given).spec, protocol))
    sizes = [(one.spec.input_height, one.spec.input_width) for one in subjects]
    if options.protocol == "letterbox" and sizes[0] != sizes[1]:
        raise InputError(
            f"drift compares models at one input size: {reference.name} reads {sizes[0][0]}x{sizes[0][1]}, "
            f"{candidate.name} {sizes[1][0]}x{sizes[1][1]}"
        )
    for path, subject in zip((reference, candidate), subjects, strict=True):
        cache = None if options.no_resume else options.cache
        given = spec_for(path, options)
        job = DetectionJob(
            path, given, images.images, subject.protocol, options.processes, cache, subject.sha256
        )
        found.append(detect_all(job, quiet=options.quiet))
    wider = (
        None if options.wider_ground_truth is None else read_wider_ground_truth(options.wider_ground_truth)
    )
    return DriftInput(subjects[0], subjects[1], (found[0], found[1]), images.name, images.labels, wider)


def write_drift(
    folder: Path,
    data: DriftInput,
    drift: Drift,
    changes: dict[str, FaceChanges],
    images: ImageSet,
    worst: int,
) -> None:
    """Write drift.json and the worst images as worst_01.jpg, worst_02.jpg ..."""
    write_json(folder / "drift.json", drift.to_json())
    for old in folder.glob("worst_[0-9][0-9].jpg"):
        old.unlink()
    for number, changed in enumerate(drift.worst[:worst], 1):
        first, second = (found[changed.name].found.above(drift.threshold) for found in data.found)
        picture = draw_side_by_side(
            load_rgb(images.images[changed.name]), first, second, changes[changed.name]
        )
        with replacing(folder / f"worst_{number:02d}.jpg") as temporary:
            temporary.write_bytes(jpeg(picture))


def print_drift(drift: Drift) -> None:
    """Print the record as tables, in points (hundredths)."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(f"{drift.candidate} against {drift.reference} on {drift.set}, {drift.images} images")
    console.print(f"protocol: {drift.protocol}", highlight=False)
    if drift.truth == "reference":
        console.print("no labels: the reference's own detections stand in, so its AP is 100 by definition")
    table = Table("figure", "faces", "reference", "candidate", "difference", "95 % interval")
    for row in drift.rows:
        interval = "-" if row.low is None else f"{points(row.low)} .. {points(row.high)}"
        table.add_row(
            row.what,
            str(row.faces),
            _percent(row.reference),
            _percent(row.candidate),
            points(row.difference),
            interval,
        )
    console.print(table)
    console.print(faces_line(drift), highlight=False)


def faces_line(drift: Drift) -> str:
    """One sentence on the faces shown, lost, gained and moved."""
    true = "" if drift.lost_true is None else f" ({drift.lost_true} of them labelled)"
    gained = "" if drift.gained_true is None else f" ({drift.gained_true} of them labelled)"
    return (
        f"above score {drift.threshold:g}: {drift.shown} faces of the reference, {drift.lost} lost{true}, "
        f"{drift.gained} gained{gained}, {drift.moved} moved (IoU below 0.9)"
    )


def points(value: float | None) -> str:
    """A difference of shares in points with a sign; a dash where there is none."""
    return "-" if value is None else f"{100 * value:+.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
