"""The report of a set of model files: each evaluated, compared with its float file, drawn where changed."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmark.accuracy.bootstrap import RESAMPLES
from benchmark.accuracy.drawing import data_url, draw_changes
from benchmark.accuracy.drift import Drift, measure_drift
from benchmark.accuracy.evaluation import Evaluation, Run, evaluate, run_model, wider_keys
from benchmark.accuracy.options import ModelOptions, RunOptions, SetOptions
from benchmark.report.page import Picture, markdown, page
from benchmark.report.rows import ArtefactRow, Report, artefact_row, read_calibration, read_costs, read_layers
from model.evaluation.face_changes import FaceChanges
from model.foundation.artifact import tool_versions, write_text
from model.foundation.errors import InputError
from model.foundation.records import write_record
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


@dataclass(frozen=True)
class Extras:
    """What other commands found out about the files.

    Attributes:
        costs: Results of `latency` and of `predict`.
        layers: Tables by layer.
        calibration: Manifests, or ranges.
    """

    costs: Sequence[Path] = ()
    layers: Sequence[Path] = ()
    calibration: Sequence[Path] = ()


def build_report(
    models: Sequence[Path],
    sets: Sequence[tuple[str, Path, Path]],
    options: tuple[SetOptions, ModelOptions, RunOptions],
    extras: Extras = Extras(),
    resamples: int = RESAMPLES,
) -> tuple[Report, list[Picture]]:
    """Evaluate every file on every set and compare it with the float file of its network and size.

    Args:
        models: Model files.
        sets: (name, folder of images, label file) of each.
        options: Which images of the sets, how files are opened, how images are fed.
        extras: See `Extras`.
        resamples: Of the bootstrap.

    Raises:
        InputError: a file cannot be used.
    """
    of, opened, how = options
    if resamples < 1:
        raise InputError(f"--resamples: expected at least 1, found {resamples}")
    files = [artefact_row(path, open_model(path, opened.spec_for(path)).spec) for path in models]
    evaluations, drifts, pictures = [], [], []
    official = of.wider_truth()
    for name, folder, labels in sets:
        images = of.read(folder, labels, name)
        runs = [run_model(path, images, opened, how) for path in models]
        truth = official if official is not None and wider_keys(images.images, official) else None
        evaluations += [evaluate(run, truth) for run in runs]
        for reference, candidate in float_pairs(files):
            pair = runs[reference], runs[candidate]
            drift, changes = measure_drift(*pair, truth, resamples, of.seed)
            drifts.append(drift)
            pictures += _pictures(*pair, drift, changes)
    return _report(files, evaluations, drifts, extras, of.seed), pictures


def write_report(folder: Path, report: Report, pictures: Sequence[Picture]) -> None:
    """Write report.html, report.md and report.json."""
    write_record(folder / "report.json", report)
    write_text(folder / "report.html", page(report, pictures))
    write_text(folder / "report.md", markdown(report))


def float_pairs(files: Sequence[ArtefactRow]) -> list[tuple[int, int]]:
    """(reference, candidate) within each network and size.

    The reference is the float32 TFLite, or the float32 ONNX, or the checkpoint, whichever is there first: of
    the candidate's own weights if there is one.
    """
    pairs = []
    for group in dict.fromkeys(one.group for one in files):
        members = [index for index, one in enumerate(files) if one.group == group]
        floats = [index for index in members if files[index].record.precision == "float32"]
        order = {".tflite": 0, ".onnx": 1, ".pth": 2}
        floats.sort(key=lambda index: order[Path(files[index].file).suffix])
        of_weights = {files[index].checkpoint: index for index in reversed(floats)}
        found = ((of_weights.get(files[index].checkpoint, floats[0]), index) for index in members if floats)
        pairs += [pair for pair in found if pair[0] != pair[1]]
    return pairs


def _pictures(
    reference: Run, candidate: Run, drift: Drift, changes: Mapping[str, FaceChanges]
) -> list[Picture]:
    worst = [one.name for one in drift.worst[:WORST]]
    drawn = reference.images.sample(SAMPLES + WORST, drift.seed).images
    pictures = []
    for name in worst + [name for name in drawn if name not in worst][:SAMPLES]:
        one, kind = changes[name], "changed most" if name in worst else "drawn at random"
        caption = f"{name} ({kind}): {len(one.lost)} lost, {len(one.gained)} gained, {len(one.moved)} moved"
        url = data_url(draw_changes(name, reference, candidate, one), 72)
        pictures.append(Picture(url, caption, drift.candidate_sha256, drift.set))
    return pictures


def _report(
    files: list[ArtefactRow], evaluations: list[Evaluation], drifts: list[Drift], extras: Extras, seed: int
) -> Report:
    return Report(
        artefacts=files,
        evaluations=evaluations,
        drifts=drifts,
        costs=read_costs(extras.costs),
        layers=[read_layers(path) for path in extras.layers],
        calibration=[fact for path in extras.calibration for fact in read_calibration(path)],
        versions={"Python": platform.python_version(), **tool_versions(*TOOLS)},
        machine={"system": platform.system(), "machine": platform.machine(), "cores": str(os.cpu_count())},
        commands=["featherface " + shlex.join(sys.argv[1:])],
        seed=seed,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
