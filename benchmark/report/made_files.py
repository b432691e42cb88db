"""What `make tflite` ends with, from the records beside the files and a short timing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.accuracy.tables import DASH, TextTable
from benchmark.report.rows import FileRecord, Timings
from convert.difference import Difference
from convert.verdict import Verdict, judged_difference, verdict_of
from model.foundation.artifact import Artifact
from model.foundation.command_line.progress import step
from model.foundation.errors import InputError
from model.foundation.records import from_json, read_record, write_record
from model.runtime.running import open_model

WARM_UP = 3


@dataclass(frozen=True)
class MadeFile:
    """One made file.

    Attributes:
        path: The file.
        difference: From what it is judged against, PyTorch where its checkpoint was at hand.
        verdict: Whether it can be used.
        latency_ms: Median of one inference on this computer, one thread.
        precision: Name of its recipe, or "float32".
    """

    path: Path
    difference: Difference
    verdict: Verdict
    latency_ms: float
    precision: str

    @property
    def bytes(self) -> int:
        """Of the file."""
        return self.path.stat().st_size


def made_files(models: Sequence[Path], timings: Path) -> list[MadeFile]:
    """What is known of made files.

    Args:
        models: .onnx and .tflite files with their records.
        timings: JSON; a file whose hash stands in it is not timed again.

    Raises:
        InputError: a file has no record, or none of its parity with what it was made from.
    """
    known = read_record(timings, Timings).latency_ms if timings.is_file() else {}
    made = []
    for path in models:
        record = from_json(FileRecord, Artifact.load(path).record, str(Artifact.record_path(path)))
        difference, verdict = judged_difference(record.parity), verdict_of(record.parity)
        if difference is None or verdict is None:
            raise InputError(f"{path} has no recorded parity; make it again")
        if record.sha256 not in known:
            with step(f"{path.name}: latency"):
                known = {**known, record.sha256: _median_ms(path)}
        made.append(MadeFile(path, difference, verdict, known[record.sha256], record.precision))
    write_record(timings, Timings(known))
    return made


def made_table(made: Sequence[MadeFile]) -> TextTable:
    """Size, worst errors, faces, latency and verdict, a row a file."""
    outputs = list(dict.fromkeys(name for one in made for name in one.difference.outputs))
    rows = [
        (
            one.path.name,
            f"{one.bytes / 1024:.0f}",
            *(_worst(one.difference, name) for name in outputs),
            f"{one.difference.faces_kept}/{one.difference.faces}",
            f"{one.latency_ms:.1f}",
            one.verdict.grade,
        )
        for one in made
    ]
    return TextTable.named(("file", "KiB", *outputs, "kept", "ms", "verdict"), rows)


def _worst(difference: Difference, output: str) -> str:
    return f"{difference.outputs[output].max_error:.2g}" if output in difference.outputs else DASH


def advice(made: Sequence[MadeFile]) -> list[str]:
    """What to do: why a file is not good, a line each, then which file to use: the smallest good one.

    A dynamic file is the last resort: its layers turn floats into integers and back in each inference.
    """
    lines = [
        f"{one.verdict.grade}: {one.path.name} {one.verdict.reason}"
        for one in made
        if one.verdict.grade != "good"
    ]
    good = sorted(
        (one for one in made if one.verdict.grade == "good"),
        key=lambda one: (one.precision == "dynamic", one.bytes),
    )
    if not good:
        return [*lines, "no file is surely good: see what each finds with 'featherface detect'"]
    best = good[0]
    faces = f"{best.difference.faces_kept} of {best.difference.faces} faces"
    return [*lines, f"use {best.path.name}: {faces}, {best.bytes / 1024:.0f} KiB"]


def _median_ms(path: Path) -> float:
    """Median wall time of one inference in milliseconds, one thread, this machine."""
    model = open_model(path)
    shape = (model.spec.input_height, model.spec.input_width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    times = []
    for _ in range(WARM_UP + Timings.runs):
        started = time.perf_counter()
        model.run(pixels)
        times.append((time.perf_counter() - started) * 1e3)
    return round(statistics.median(times[WARM_UP:]), 3)
