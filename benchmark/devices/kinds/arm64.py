"""Emulated arm64 cores: a Debian guest with a real adbd and LiteRT. It counts; its times mean nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmark.adb.facts import MachineFacts
from benchmark.devices.kind import Kind, Wish
from benchmark.devices.kinds.adb import LITERT_RUNNER, LinuxMachine, Program, litert_program
from benchmark.devices.machine import CountingMachine, Instructions, Machine, Runner, RunRequest
from benchmark.emulation.guest import CORES, running_guest
from benchmark.emulation.image import guest_image
from benchmark.runner.output import OperatorShare, RunnerOutput
from model.foundation.errors import InputError

COUNTED_CORES = ("cortex-a53", "cortex-a76")
"""One without and one with the dot-product instructions: what entry-level and better phones have."""

WARMUP_RUNS = 2
"""The first inference touches fresh memory, the second still pays for some of it."""

COUNTED_RUNS = 5
NO_LIMIT_S = 3600.0
"""In guest time, which is instructions: 3.6e12 of them."""


class Arm64Machine(CountingMachine):
    """An emulated core. It boots when it is first asked to run something, and ends with `stack`.

    Attributes:
        word: What addresses it.
        core: One of `guest.CORES`.
        counting: Its clock counts instructions, a nanosecond each.
    """

    word = "arm64"

    def __init__(self, core: str, counting: bool, stack: ExitStack) -> None:
        self.core = core
        self.counting = counting
        self._stack = stack
        self._booted: LinuxMachine | None = None

    @property
    def facts(self) -> MachineFacts:
        details = {"core": self.core, "emulator": "qemu-system-aarch64", "counting": self.counting}
        return MachineFacts(f"emulated-{self.word}", f"{self.word}:{self.core}", self.core, details)

    @property
    def runner(self) -> Runner:
        return LITERT_RUNNER

    def program(self) -> Program:
        """What is started there."""
        return litert_program(guest_image().library)

    def run(self, request: RunRequest) -> RunnerOutput:
        if self._booted is None:
            program = self.program()
            guest = running_guest(self.core, counting=self.counting)
            device = self._stack.enter_context(guest).device
            self._booted = LinuxMachine(device, self.facts, program)
            self._booted.silence_s = 1200.0
        return self._booted.run(request)

    def instructions(self, model: Path) -> Instructions:
        output = self.run(_enough(model, COUNTED_RUNS))
        counts = output.latencies_ns
        count = round(statistics.median(counts))
        return Instructions(count, len(counts), spread_of(counts), "icount", output.delegated)

    def operators(self, model: Path) -> tuple[OperatorShare, ...]:
        return self.run(replace(_enough(model, runs=1), warmup_runs=1, profile=True)).operators


def _enough(model: Path, runs: int) -> RunRequest:
    """So many inferences and no more, whatever the guest's clock says."""
    return RunRequest(
        model,
        warmup_runs=WARMUP_RUNS,
        warmup_seconds=0,
        runs=runs,
        min_seconds=0,
        max_seconds=NO_LIMIT_S,
    )


def spread_of(counts: Sequence[int]) -> float:
    """(largest - smallest) / median of equal inferences, without the one that is farthest from the median.

    About one inference in fifty is interrupted by housekeeping of the guest's kernel (millions of
    instructions): the median does not feel it, and it says nothing about how repeatable the others are.
    """
    median = statistics.median(counts)
    kept = sorted(counts, key=lambda count: abs(count - median))[: max(1, len(counts) - 1)]
    return (max(kept) - min(kept)) / median


class Arm64(Kind):
    """`--device arm64[:CORE]`."""

    form = "arm64[:CORE]"
    always = tuple(f"arm64:{core}" for core in CORES)

    def require_name(self, name: str) -> None:
        if name not in CORES:
            raise InputError(f"expected a core out of {', '.join(CORES)}, found {name}")

    def names_to_measure(self, name: str | None) -> Sequence[str]:
        return (name,) if name else COUNTED_CORES

    @contextmanager
    def opened(self, name: str | None, wish: Wish) -> Iterator[Machine]:
        with ExitStack() as stack:
            yield Arm64Machine(name or CORES[0], wish.counting, stack)


KIND = Arm64()
