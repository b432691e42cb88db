"""`report`: evaluate made files, compare each with its float reference, write one page that shows it."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmark.accuracy.bootstrap import RESAMPLES
from benchmark.accuracy.drawing import data_url, draw_side_by_side
from benchmark.accuracy.drift_record import Drift, DriftInput, measure_drift
from benchmark.accuracy.evaluation import EvaluatedModel, Evaluation, evaluate
from benchmark.accuracy.options import (
    ImageSet,
    add_model_options,
    add_protocol_options,
    protocol_of,
    read_set,
    spec_for,
)
from benchmark.accuracy.wider_ground_truth import WiderImage, read_wider_ground_truth
from benchmark.report.page import Picture, markdown, page
from benchmark.report.rows import ArtefactRow, Report, artefact_row, read_costs, read_layers
from calibration_data.images import load_rgb
from model.evaluation.detections import DetectionJob, ImageDetections, detect_all
from model.evaluation.face_changes import FaceChanges
from model.foundation.artifact import read_json, replacing, sha256_of, tool_versions, write_json
from model.foundation.errors import InputError
from model.runtime.running import open_model

TOOLS = (
    "torch",
    "onnx",
    "onnxruntime",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "litert-torch",
    "numpy",
    "pillow",
    "opencv-python-headless",
)
WORST, SAMPLES = 2, 2
"""Pictures for each drift: of the images that changed most, and of images drawn at random."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `python -m benchmark`."""
    command = subparsers.add_parser(
        "report", help="one HTML page (and Markdown, JSON) about a set of model files", description=__doc__
    )
    command.add_argument("--model", type=Path, nargs="+", required=True, help=".tflite, .onnx or .pth files")
    command.add_argument(
        "--set", nargs=3, action="append", required=True, metavar=("NAME", "IMAGES", "LABELS"),
        help="labelled set; may be given several times",
    )  # fmt: skip
    command.add_argument(
        "--skip-absent", action="store_true", help="leave out labelled images that are not there"
    )
    command.add_argument(
        "--wider-ground-truth", type=Path, help="official .mat files, for sets that are WIDER FACE's"
    )
    command.add_argument(
        "--cost", type=Path, nargs="*", default=[], help="results of `latency` and of `predict` (JSON)"
    )
    command.add_argument(
        "--layers", type=Path, nargs="*", default=[], help="tables by layer: sensitivities, SQNR (JSON)"
    )
    command.add_argument(
        "--calibration",
        type=Path,
        nargs="*",
        default=[],
        help="manifests or ranges of the calibration (JSON)",
    )
    command.add_argument(
        "--resamples", type=int, default=RESAMPLES, help="of the bootstrap (default: %(default)s)"
    )
    command.add_argument(
        "--output", type=Path, default=Path("build/report"), help="folder (default: %(default)s)"
    )
    add_model_options(command)
    add_protocol_options(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate, compare, and write report.html, report.md and report.json."""
    if options.resamples < 1:
        raise InputError(f"--resamples: expected at least 1, found {options.resamples}")
    subjects = [_subject(path, options) for path in options.model]
    artefacts = [artefact_row(subject.path, subject.spec) for subject in subjects]
    evaluations, drifts, pictures = [], [], []
    wider = (
        None if options.wider_ground_truth is None else read_wider_ground_truth(options.wider_ground_truth)
    )
    for name, images, labels in options.set:
        read = read_set(Path(images), Path(labels), name, options.skip_absent)
        read = read.sample(options.limit, options.seed)
        found = [_detections(subject, read, options) for subject in subjects]
        truth = wider if _is_wider(read, wider) else None
        evaluations += _evaluations(subjects, read, found, truth)
        for reference, candidate in _pairs(artefacts):
            data = DriftInput(
                subjects[reference],
                subjects[candidate],
                (found[reference], found[candidate]),
                name,
                read.labels,
                truth,
            )
            drift, changes = measure_drift(data, options.resamples, options.seed)
            drifts.append(drift)
            pictures += _pictures(data, drift, changes, read)
    report = _report(options, artefacts, evaluations, drifts)
    write_report(options.output, report, pictures)
    Console(stderr=True).print(f"{options.output / 'report.html'}", highlight=False)
    return 0


def write_report(folder: Path, report: Report, pictures: Sequence[Picture]) -> None:
    """Write report.html, report.md and report.json."""
    write_json(folder / "report.json", report.to_json())
    for name, text in (("report.html", page(report, pictures)), ("report.md", markdown(report))):
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _subject(path: Path, options: argparse.Namespace) -> EvaluatedModel:
    spec = open_model(path, spec_for(path, options)).spec
    return EvaluatedModel(path, sha256_of(path), spec, protocol_of(options))


def _detections(
    subject: EvaluatedModel, images: ImageSet, options: argparse.Namespace
) -> dict[str, ImageDetections]:
    cache = None if options.no_resume else options.cache
    given = spec_for(subject.path, options)
    job = DetectionJob(
        subject.path, given, images.images, subject.protocol, options.processes, cache, subject.sha256
    )
    return detect_all(job, quiet=options.quiet)


def _is_wider(images: ImageSet, wider: list[WiderImage] | None) -> bool:
    keys = {(one.event, one.name) for one in wider or ()}
    return any(tuple(name.rsplit(".", 1)[0].rsplit("/", 2)[-2:]) in keys for name in images.images)


def _evaluations(
    subjects: Sequence[EvaluatedModel],
    images: ImageSet,
    found: Sequence[dict[str, ImageDetections]],
    wider: list[WiderImage] | None,
) -> list[Evaluation]:
    labels = images.labels or ()
    return [
        evaluate(subject, images.name, labels, one, wider)
        for subject, one in zip(subjects, found, strict=True)
    ]


def _pairs(artefacts: Sequence[ArtefactRow]) -> list[tuple[int, int]]:
    """(reference, candidate) within each network and size; the reference is the float32 TFLite, or the
    float32 ONNX, or the checkpoint, whichever is there first."""
    pairs = []
    for group in dict.fromkeys(one.group for one in artefacts):
        members = [index for index, one in enumerate(artefacts) if one.group == group]
        floats = [index for index in members if artefacts[index].precision == "float32"]
        order = {".tflite": 0, ".onnx": 1, ".pth": 2}
        floats.sort(key=lambda index: order[Path(artefacts[index].file).suffix])
        pairs += [(floats[0], index) for index in members if index != floats[0]] if floats else []
    return pairs


def _pictures(
    data: DriftInput, drift: Drift, changes: dict[str, FaceChanges], images: ImageSet
) -> list[Picture]:
    worst = [one.name for one in drift.worst[:WORST]]
    others = [name for name in images.sample(SAMPLES + WORST, drift.seed).images if name not in worst]
    pictures = []
    for name in worst + others[:SAMPLES]:
        first, second = (found[name].found.above(drift.threshold) for found in data.found)
        drawn = draw_side_by_side(load_rgb(images.images[name]), first, second, changes[name])
        one = changes[name]
        kind = "changed most" if name in worst else "drawn at random"
        caption = f"{name} ({kind}): {len(one.lost)} lost, {len(one.gained)} gained, {len(one.moved)} moved"
        pictures.append(Picture(data_url(drawn, 72), caption, drift.candidate_sha256, drift.set))
    return pictures


def _report(
    options: argparse.Namespace,
    artefacts: list[ArtefactRow],
    evaluations: list[Evaluation],
    drifts: list[Drift],
) -> Report:
    return Report(
        artefacts=artefacts,
        evaluations=evaluations,
        drifts=drifts,
        costs=read_costs(options.cost),
        layers=[read_layers(path) for path in options.layers],
        calibration=[fact for path in options.calibration for fact in _calibration(path)],
        versions={"Python": platform.python_version(), **tool_versions(*TOOLS)},
        machine={"system": platform.system(), "machine": platform.machine(), "cores": str(os.cpu_count())},
        commands=["python -m benchmark " + shlex.join(sys.argv[1:])],
        seed=options.seed,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _calibration(path: Path) -> list[dict[str, Any]]:
    """Facts of a manifest of images, or of ranges that name theirs.

    Raises:
        InputError: the file is neither.
    """
    value = read_json(path)
    digest = sha256_of(path)
    if isinstance(value.get("images"), list):
        return [{"file": path.name, "images": len(value["images"]), "size": "", "sha256": digest}]
    try:
        return [
            {"file": path.name, "images": one["images"]["count"], "size": size, "sha256": digest}
            for size, one in value["sizes"].items()
        ]
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: expected a manifest of images or measured ranges") from None
