"""What is measured of each file: AP against the float file, size, operators, instructions, time here."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy.bootstrap import RESAMPLES, PairedDifference, paired_difference, resampled_images
from benchmark.accuracy.evaluation import Run, run_model
from benchmark.accuracy.options import ModelOptions, RunOptions
from benchmark.devices.kind import KINDS, Wish
from benchmark.devices.method import method_for
from benchmark.devices.results import ResultFile, Setting
from benchmark.errors import DeviceError
from benchmark.peers.answers import answered
from calibration_data.image_set import ImageSet
from model.evaluation.metrics import HEADLINE, METRICS
from model.foundation.artifact import sha256_of
from model.foundation.command_line.progress import step
from model.foundation.errors import InputError
from model.foundation.journal import Journal
from model.foundation.records import fingerprint
from model.runtime.running import open_model

ROUNDS = 40
"""Inferences of each of two files that take turns, for the ratio of their times."""


@dataclass(frozen=True)
class Made:
    """A file of the comparison, before it is measured.

    Attributes:
        model, title: Name and title of the model.
        converter, setting: Titles; "this project" for ours.
        file, spec: The file, and its spec where it carries none; no file where `problem` says why.
        float32: This project's float file of the same weights.
        script: Runs the file, where nothing here does.
    """

    model: str
    title: str
    converter: str
    setting: str
    file: Path | None = None
    spec: Path | None = None
    float32: Path | None = None
    problem: str = ""
    script: Path | None = None


@dataclass(frozen=True)
class Row:
    """What was measured of a file.

    Attributes:
        made: Which.
        sha256, bytes, operators: Of the file; `operators` are nodes in an ONNX file, None where unknown.
        accuracy: Set -> AP50 of the file and of the float file, in 0..1.
        instructions: Core -> of one inference; TFLite files only.
        host_ratio: Processor time of an inference on this computer, one thread, the reference's as 1.
    """

    made: Made
    sha256: str = ""
    bytes: int = 0
    operators: int | None = None
    accuracy: dict[str, PairedDifference] = field(default_factory=dict)
    instructions: dict[str, int] = field(default_factory=dict)
    host_ratio: float | None = None


def measure(
    made: Iterable[Made], sets: Sequence[ImageSet], cores: Sequence[str], reference: Path, output: Path
) -> list[Row]:
    """Measure all files; what an earlier run measured is taken from `output`.

    Args:
        made: The files; each is judged before the next one is asked for, which may take minutes to make.
        sets: Labelled sets.
        cores: Emulated cores that instructions are counted on.
        reference: The float TFLite file whose processor time is 1.
        output: Folder of the journals.
    """
    accuracies = Journal(output / "accuracy.jsonl", PairedDifference)
    ratios = Journal(output / "host_ratio.jsonl", float)
    rows = []
    for one in made:
        row = _described(one)
        try:
            rows.append(_timed(_judged(row, sets, accuracies, output), reference, ratios))
        except InputError as error:
            rows.append(_failed(row, error))
    for core in cores:
        rows = list(_counted(rows, core, ResultFile(output / "instructions.json", resume=True)))
    return rows


def _described(made: Made) -> Row:
    if made.file is None:
        return Row(made)
    return Row(made, sha256_of(made.file), made.file.stat().st_size, _operators(made.file))


def _failed(row: Row, error: Exception) -> Row:
    return replace(row, made=replace(row.made, problem=str(error)))


def _operators(file: Path) -> int | None:
    if file.suffix == ".tflite":
        from convert.tflite.graph import read_graph

        return len(read_graph(file).operators)
    if file.suffix == ".onnx":
        from model.runtime.onnx_file import read_onnx

        return len(read_onnx(file).graph.node)
    return None


def _judged(row: Row, sets: Sequence[ImageSet], known: Journal[PairedDifference], output: Path) -> Row:
    """Add AP on every set."""
    made = row.made
    if made.file is None or made.float32 is None:
        return row
    found = {}
    for images in sets:
        key = f"{row.sha256}:{sha256_of(made.float32)}:{_hash_of(images)}"
        if key not in known:
            how = RunOptions(cache=output / "detections", processes=1)
            reference = run_model(made.float32, images, ModelOptions(), how)
            known.add(key, _accuracy(reference, _run(made, reference, how)))
        found[images.name] = known[key]
    return replace(row, accuracy=found)


def _hash_of(images: ImageSet) -> str:
    """Changes when an image's name or a label does."""
    told = [(one.name, one.boxes_xyxy.tolist(), one.ignore.tolist()) for one in images.labelled]
    return hashlib.sha256(fingerprint(told).encode()).hexdigest()[:16]


def _run(made: Made, reference: Run, how: RunOptions) -> Run:
    if made.file is None:
        raise InputError(f"{made.title}: no file to run")
    if made.script is not None:
        return answered(made.file, made.script, reference)
    return run_model(made.file, reference.images, ModelOptions(spec=made.spec), how)


def _accuracy(reference: Run, candidate: Run) -> PairedDifference:
    metric, truth = METRICS[HEADLINE], reference.truth()
    if truth is None:
        raise InputError(f"{reference.images.name}: this needs labels")

    def figure(run: Run) -> Callable[[NDArray[np.int64] | None], float]:
        matched = run.matched(truth)
        return lambda weights: metric.of(matched, run.threshold, weights) or 0.0

    samples = resampled_images(len(truth), RESAMPLES)
    return paired_difference(figure(reference), figure(candidate), samples)


def _timed(row: Row, reference: Path, known: Journal[float]) -> Row:
    """Add the ratio of processor times: both files take turns, so that whatever else runs meets both."""
    made = row.made
    if made.file is None or made.script is not None:
        return row
    key = f"{row.sha256}:{sha256_of(reference)}"
    if key not in known:
        spec = ModelOptions(spec=made.spec).spec_for(made.file)
        models = open_model(reference), open_model(made.file, spec)
        shapes = [(one.spec.input_height, one.spec.input_width, 3) for one in models]
        pixels = [np.random.default_rng(0).integers(0, 256, shape, np.uint8) for shape in shapes]
        seconds: tuple[list[float], list[float]] = ([], [])
        with step(f"{made.file.name}: time beside {reference.name}"):
            for _ in range(ROUNDS):
                for model, image, taken in zip(models, pixels, seconds, strict=True):
                    started = time.process_time()
                    model.run(image)
                    taken.append(time.process_time() - started)
        first, second = (statistics.median(taken) for taken in seconds)
        known.add(key, round(second / first, 3))
    return replace(row, host_ratio=known[key])


def _counted(rows: Sequence[Row], core: str, results: ResultFile) -> Iterator[Row]:
    """Add the instructions on a core; it boots when there is something to count."""
    with KINDS["arm64"].opened(core, Wish(counting=True)) as machine:
        method = method_for(machine)
        for row in rows:
            file = row.made.file
            if file is None or file.suffix != ".tflite":
                yield row
                continue
            try:
                found = method.kept(file, Setting(), results, f"{file.name}: instructions on {core}")
            except (DeviceError, InputError) as error:
                yield _failed(row, error)
                continue
            count = found.instructions
            yield row if count is None else replace(row, instructions={**row.instructions, core: count.count})
