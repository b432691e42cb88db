"""`summary`: the table that `make tflite` ends with, from the records beside the files and a short timing."""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from model.foundation.artifact import Artifact, read_json, write_json
from model.foundation.errors import InputError
from model.foundation.progress import step

WARM_UP, RUNS = 3, 20
LOG_WIDTH = 120


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("summary", help="size, parity, faces and host latency of made files")
    parser.add_argument("models", type=Path, nargs="+", help=".onnx and .tflite files with their records")
    parser.add_argument("--output", type=Path, required=True, help="JSON; timings in it are used again")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table; time only files whose hash is not among the earlier timings."""
    output: Path = options.output
    known = read_json(output)["latency_ms"] if output.is_file() else {}
    artifacts = [Artifact.load(path) for path in options.models]
    latency: dict[str, float] = {}
    for artifact in artifacts:
        digest = str(artifact.record["sha256"])
        if digest in known:
            latency[digest] = float(known[digest])
            continue
        with step(f"{artifact.path.name}: latency"):
            latency[digest] = _median_ms(artifact.path)
    if latency != known:
        write_json(output, {"latency_ms": latency, "runs": RUNS, "threads": 1})
    _print(artifacts, latency)
    return 0


def _median_ms(path: Path) -> float:
    """Median wall time of one inference in milliseconds, one thread, this machine."""
    import numpy as np

    from model.runtime.running import open_model

    model = open_model(path)
    shape = (model.spec.input_height, model.spec.input_width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    times = []
    for _ in range(WARM_UP + RUNS):
        started = time.perf_counter()
        model.run(pixels)
        times.append((time.perf_counter() - started) * 1e3)
    return round(statistics.median(times[WARM_UP:]), 3)


def _print(artifacts: list[Artifact], latency: dict[str, float]) -> None:
    table = Table(title="worst error against PyTorch on the demo images; one thread of this computer")
    for column in ("file", "KiB", "boxes", "scores", "landmarks", "faces", "kept", "ms"):
        table.add_column(column, justify="left" if column == "file" else "right", overflow="fold")
    for artifact in artifacts:
        parity = _parity(artifact)
        errors = [f"{parity['outputs'][name]['max_error']:.2g}" for name in parity["outputs"]]
        table.add_row(
            artifact.path.name,
            f"{artifact.record['bytes'] / 1024:.0f}",
            *errors,
            str(parity["faces_found"]),
            f"{parity['faces_kept']}/{parity['faces']}",
            f"{latency[str(artifact.record['sha256'])]:.1f}",
        )
    console = Console()
    if not console.is_terminal:
        console.width = LOG_WIDTH
    console.print(table)
    console.print(
        "boxes and landmarks in tenths of an anchor's side, scores as probabilities; "
        "faces: found above 0.5; kept: PyTorch's faces found again with IoU >= 0.9",
        style="dim",
    )


def _parity(artifact: Artifact) -> dict[str, Any]:
    """The parity against PyTorch, which each kind of file records under its own name."""
    parity = artifact.record.get("parity", {})
    for stage in ("torch", "simplified_to_torch"):
        if stage in parity:
            return dict(parity[stage])
    raise InputError(f"{artifact.path} has no recorded parity with PyTorch; make it again")
