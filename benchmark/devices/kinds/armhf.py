"""32-bit ARM: tflite-runtime 2.14, the old devices' runtime, on an emulated Cortex-A7."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark import wheels
from benchmark.adb.facts import MachineFacts
from benchmark.devices.kind import Kind, Wish
from benchmark.devices.machine import (
    CountingMachine,
    Instructions,
    Machine,
    Runner,
    RunRequest,
    run_on_these_files,
)
from benchmark.emulation.qemu_user import ARMHF_CORE, UserEmulator, armhf_system
from benchmark.runner.build import SOURCES
from benchmark.runner.output import OperatorShare, RunnerOutput
from model.foundation.cache import cache_folder
from model.foundation.errors import InputError

COUNTED_RUNS = 4


class ArmhfMachine(CountingMachine):
    """Runs models with tflite-runtime 2.14 under qemu-user."""

    def __init__(self) -> None:
        system = armhf_system()
        runtime = wheels.unpacked(wheels.TFLITE_ARMHF, cache_folder() / "arm")
        libraries = system / "usr/lib/arm-linux-gnueabihf"
        self._emulator = UserEmulator("qemu-arm", ARMHF_CORE, system)
        self._variables = {
            "PYTHONPATH": str(runtime),
            "LD_LIBRARY_PATH": f"{libraries}/blas:{libraries}/lapack",
        }

    @property
    def facts(self) -> MachineFacts:
        details = {"core": ARMHF_CORE, "emulator": "qemu-user"}
        return MachineFacts("emulated-armhf", f"armhf:{ARMHF_CORE}", ARMHF_CORE, details)

    @property
    def runner(self) -> Runner:
        return Runner("tflite_runner", wheels.TFLITE_ARMHF.requirement.replace("==", " "))

    def run(self, request: RunRequest) -> RunnerOutput:
        return self._run(request, count=False)[0]

    def instructions(self, model: Path) -> Instructions:
        """The difference of two whole programs that differ in their number of runs: no spread to report."""
        counts = []
        for runs in (1, 1 + COUNTED_RUNS):
            request = RunRequest(
                model, warmup_runs=2, warmup_seconds=0, runs=runs, min_seconds=0, max_seconds=3600
            )
            counts.append(self._run(request, count=True)[1] or 0)
        return Instructions(round((counts[1] - counts[0]) / COUNTED_RUNS), COUNTED_RUNS, 0.0, "plugin")

    def operators(self, model: Path) -> tuple[OperatorShare, ...]:
        del model
        raise InputError("armhf gives no operator profile: tflite-runtime 2.14's binding has none")

    def _run(self, request: RunRequest, count: bool) -> tuple[RunnerOutput, int | None]:
        if request.profile or request.delegate == "gpu":
            raise InputError(
                "armhf runs without operator profile and GPU: tflite-runtime 2.14's binding has neither"
            )
        counted: list[int | None] = []
        program = [str(self._emulator.root / "usr/bin/python3.11"), str(SOURCES / "tflite_runner.py")]

        def launch(flags: list[str]) -> str:
            limit = request.max_seconds * 2 + 600
            text, count_ = self._emulator.run([*program, *flags], self._variables, limit, count)
            counted.append(count_)
            return text

        return run_on_these_files(request, "tflite-runtime under qemu-arm", launch), counted[0]


class Armhf(Kind):
    """`--device armhf`."""

    form = "armhf"
    always = ("armhf (after `make arm`)",)

    @contextmanager
    def opened(self, name: str | None, wish: Wish) -> Iterator[Machine]:
        del name, wish  # there is one such machine, and it counts whatever is wished
        yield ArmhfMachine()


KIND = Armhf()
