"""Long works killed with -9 at any moment: no file is half written, and a resumed run ends where an
undisturbed one does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.attack import world as worlds
from tests.attack.child import Ending, run_child
from tests.attack.conftest import share
from tests.attack.test_damaged_inputs import copied
from tests.attack.world import EVALUATE, FLOAT, HOST, QAT, QUANTIZED, SEARCH, SENSITIVITY, TRAIN
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

CHAIN = 3
"""Kills of one work at most, one after another, before it is left to end."""
OF_THE_CLOCK = (
    "file", "time", "seconds", "samples_per_s", "images_per_second", "timing", "measured_at", "latency_ms",
    "replicate_ms", "conditions", "per_minute", "operators_ms", "problems", "valid", "peak_memory_mb",
)  # fmt: skip
"""Fields that no two runs share."""
LATENCY = [
    "latency",
    *HOST,
    "--model",
    FLOAT,
    QUANTIZED,
    "--threads",
    "1,2",
    "--output",
    "latency.json",
    "--resume",
]


@dataclass(frozen=True)
class Work:
    """A work that may be killed.

    Attributes:
        command: Its arguments.
        made: Names of files that it makes, and of folders; absent before.
        kills: Of all.
        passing: Pattern of files that hold a moment of the work; the run that goes on reads them.
    """

    command: Sequence[str]
    made: Sequence[str]
    kills: int
    passing: str = "*.stamp"

    @property
    def name(self) -> str:
        return self.command[0]

    def run(self, folder: Path, **how: float | None) -> Ending:
        if self.name != "make":
            return worlds.run(self.command, folder, **how)
        build = [*self.command, f"BUILD={folder}/made"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return run_child(lambda: os.execvpe("make", build, environment), ROOT, **how)  # type: ignore[arg-type]


WORKS = (
    Work(SEARCH, ("search.json", "search.jsonl", "search.svg", "searched.json"), 20),
    Work(SENSITIVITY, ("sensitivity.json", "sensitivity.jsonl", "sensitivity.svg"), 16),
    Work(QAT, ("qat",), 16, "state.pt"),
    Work(TRAIN, ("run/average.pth", "run/recipe.json"), 8),
    Work([*EVALUATE, "--processes", "1"], ("accuracy.json", "cache"), 24),
    Work(LATENCY, ("latency.json",), 16),
    Work(("make", "tflite", "SIZE=64"), ("made",), 4),
)


DUE = [work for work in WORKS if work.kills * share() >= 0.5]
"""The heavy ones are left out where few are asked for."""


@pytest.mark.parametrize("work", DUE, ids=lambda work: work.name)
def test_a_killed_work_goes_on(work: Work, world: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(len(work.name))
    whole = tmp_path / "whole"
    fresh(work, world, whole)
    undisturbed = work.run(whole, limit_s=3600)
    assert undisturbed.code == 0, undisturbed.said
    expected, killed, works = contents(work, whole), 0, 0
    while killed < max(1, round(work.kills * share())) and works < work.kills:
        folder, works = tmp_path / str(works), works + 1
        fresh(work, world, folder)
        for _ in range(CHAIN):
            ending = work.run(folder, kill_after_s=float(rng.uniform(0.02, 0.9) * undisturbed.seconds))
            contents(work, folder)  # all that is there can be read
            if ending.code is not None:  # it was quicker
                assert ending.code == 0, ending.said
                break
            killed += 1
        ending = work.run(folder, limit_s=3600)
        assert ending.code == 0, ending.said
        assert contents(work, folder) == expected
        shutil.rmtree(folder)
    print(f"{work.name}: {killed} kills in {works} works of {undisturbed.seconds:.0f} s")


def fresh(work: Work, world: Path, folder: Path) -> None:
    """The inputs of a work without what it makes."""
    copied(world, folder, work.command)
    for name in work.made:
        made = folder / name
        shutil.rmtree(made.parent if made.parent != folder else made, ignore_errors=True)
        made.unlink(missing_ok=True)


def contents(work: Work, folder: Path) -> dict[str, Any]:
    """What a work made, without what the clock decides; hidden files are those that a kill left behind."""
    files = [path for name in work.made for path in ((folder / name), *(folder / name).rglob("*"))]
    seen = [path for path in files if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): _content(path) for path in seen if not path.match(work.passing)}


def _content(path: Path) -> Any:
    """Of a file. A journal's whole lines may have any order, and a kill may cut the last."""
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        return sorted({json.dumps(_timeless(json.loads(line))) for line in whole})
    return path.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in OF_THE_CLOCK}
    return [_timeless(item) for item in value] if isinstance(value, list) else value
