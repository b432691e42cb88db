"""What a new kind of device takes: one file in benchmark/devices/kinds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmark.devices.results import read_results
from tests.conftest import ROOT

TOY = '''
"""A machine that takes 7 ms for everything."""

from contextlib import contextmanager

from benchmark.devices.kind import Kind
from benchmark.devices.machine import Machine, Runner
from benchmark.runner.output import RunnerOutput, Timing
from benchmark.adb.facts import MachineFacts


class ToyMachine(Machine):
    def __init__(self, name):
        self.facts_ = MachineFacts("toy", f"toy:{name}", name)

    @property
    def facts(self):
        return self.facts_

    @property
    def runner(self):
        return Runner("toy_runner")

    def run(self, request):
        timed = Timing(request.runs, 1.0, 1.0, 7.0, 7.0, 0.0, 7.0, 7.0, 7.0)
        return RunnerOutput(timed, latencies_ns=(7_000_000,) * request.runs)


class Toy(Kind):
    form = "toy[:NAME]"
    always = ("toy:red",)

    def require_name(self, name):
        pass

    @contextmanager
    def opened(self, name, wish):
        yield ToyMachine(name or "red")


KIND = Toy()
'''


def test_a_kind_is_one_file(tmp_path: Path, tflite_file: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "benchmark", tree / "benchmark", ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("model", "calibration_data", "convert", "quantize"):
        (tree / package).symlink_to(ROOT / package)
    (tree / "benchmark/devices/kinds/toy.py").write_text(TOY)
    output = tmp_path / "results.json"
    command = ["latency", "--device", "toy:blue", "--model", str(tflite_file), "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *command, "--quick"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "toy:blue, toy_runner" in done.stdout
    (one,) = read_results(output)
    assert one.machine.kind == "toy"
    assert one.valid
    assert one.timing is not None
    assert one.timing.p50 == 7.0
    assert not (ROOT / "benchmark/devices/kinds/toy.py").exists()
