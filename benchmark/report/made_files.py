"""The table that `make tflite` ends with, from the records beside the files and a short timing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmark.accuracy.tables import DASH, TextTable
from benchmark.report.rows import FileRecord
from convert.difference import Difference
from model.foundation.artifact import Artifact
from model.foundation.errors import InputError
from model.foundation.progress import step
from model.foundation.records import from_json, read_record, write_record
from model.runtime.running import open_model

STAGES = ("torch", "simplified_to_torch", "float32")
"""Where a record says how far a file is from PyTorch, or, of a foreign network, from the float file."""

WARM_UP, RUNS = 3, 20


@dataclass(frozen=True)
class Timings:
    """Median milliseconds of one inference on this computer.

    Attributes:
        latency_ms: SHA-256 of a file -> milliseconds.
        runs, threads: How they were taken.
    """

    latency_ms: dict[str, float] = field(default_factory=dict)
    runs: int = RUNS
    threads: int = 1


def made_files(models: Sequence[Path], timings: Path) -> TextTable:
    """A table of made files: size, parity with PyTorch, faces, host latency.

    Args:
        models: .onnx and .tflite files with their records.
        timings: JSON; a file whose hash stands in it is not timed again.

    Raises:
        InputError: a file has no record, or none of its parity with PyTorch.
    """
    known = read_record(timings, Timings).latency_ms if timings.is_file() else {}
    latency, parities = {}, {}
    for path in models:
        record = from_json(FileRecord, Artifact.load(path).record, str(Artifact.record_path(path)))
        parities[path] = _recorded_difference(path, record)
        if record.sha256 not in known:
            with step(f"{path.name}: latency"):
                known = {**known, record.sha256: _median_ms(path)}
        latency[path] = known[record.sha256]
    write_record(timings, Timings(known))
    outputs = list(dict.fromkeys(name for one in parities.values() for name in one.outputs))
    rows = [
        (
            path.name,
            f"{path.stat().st_size / 1024:.0f}",
            *(f"{one.outputs[name].max_error:.2g}" if name in one.outputs else DASH for name in outputs),
            str(one.faces_found),
            f"{one.faces_kept}/{one.faces}",
            f"{latency[path]:.1f}",
        )
        for path, one in parities.items()
    ]
    return TextTable.named(("file", "KiB", *outputs, "faces", "kept", "ms"), rows)


def _recorded_difference(path: Path, record: FileRecord) -> Difference:
    for stage in STAGES:
        if stage in record.parity:
            return record.parity[stage]
    raise InputError(f"{path} has no recorded parity; make it again")


def _median_ms(path: Path) -> float:
    """Median wall time of one inference in milliseconds, one thread, this machine."""
    model = open_model(path)
    shape = (model.spec.input_height, model.spec.input_width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    times = []
    for _ in range(WARM_UP + RUNS):
        started = time.perf_counter()
        model.run(pixels)
        times.append((time.perf_counter() - started) * 1e3)
    return round(statistics.median(times[WARM_UP:]), 3)
