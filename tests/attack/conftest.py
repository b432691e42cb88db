"""One small world for all attacks, and how many of each there are."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from tests.attack import world as worlds

PRELOADED = (
    "benchmark.accuracy.detect", "benchmark.accuracy.drift", "benchmark.accuracy.evaluation",
    "benchmark.accuracy.tables", "benchmark.devices.commands", "benchmark.devices.kinds.host",
    "benchmark.devices.method", "benchmark.devices.tables", "benchmark.prediction.commands",
    "benchmark.report.build", "benchmark.report.made_files", "benchmark.report.gate", "convert.conversion",
    "convert.doors.guess", "matplotlib.figure",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "model.training.commands", "model.training.loop", "model.training.plots", "model.training.student",
    "quantize.apply.steps", "quantize.calibrate.commands", "quantize.inspect.audit_page",
    "quantize.inspect.compare_page", "quantize.inspect.lint", "quantize.qat.steps", "quantize.tune.plots",
    "quantize.tune.search", "quantize.tune.tables", "rich.progress", "ai_edge_quantizer", "onnxruntime",
)  # fmt: skip
"""What a command imports when it runs: once here, not once in each child."""


def share() -> float:
    """The part of all attacks that is made: FEATHERFACE_ATTACK, 1 for all of them."""
    return float(os.environ.get("FEATHERFACE_ATTACK", "0.05"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world; tests work on copies. FEATHERFACE_ATTACK_WORLD keeps it for the next run."""
    for module in PRELOADED:
        importlib.import_module(module)
    kept = os.environ.get("FEATHERFACE_ATTACK_WORLD")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("world")
    if not (folder / "run").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        worlds.build(folder)
    return folder
