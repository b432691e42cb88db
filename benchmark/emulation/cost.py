"""Deterministic cost: instructions of one inference on emulated cores, and the operators' shares of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.devices.compile import runner_for
from benchmark.devices.kinds.linux import LinuxMachine
from benchmark.devices.machine import MachineFacts, RunRequest
from benchmark.devices.results import Instructions, Measurement, machine_facts, model_facts, now
from benchmark.devices.runner_output import Operator
from benchmark.emulation.armhf import ArmhfMachine
from benchmark.emulation.guest import running_guest
from benchmark.emulation.image import guest_image

WARMUP_RUNS = 2
"""The first inference touches fresh memory, the second still pays for some of it."""

COUNTED_RUNS = 5
REPEATABILITY = 1e-3
"""Largest spread between equal inferences; more than that and the count is flagged."""

TICK = 20_000
"""Instructions of a timer interrupt of the guest's kernel, generously: a short inference has one or none."""

NO_LIMIT_S = 3600.0
"""In guest time, which is instructions: 3.6e12 of them."""


@contextmanager
def arm64_machine(core: str, *, counting: bool, processors: int = 1) -> Iterator[LinuxMachine]:
    """An emulated arm64 core as a machine, for the block.

    Args:
        core: One of `guest.CORES`.
        counting: Its clock counts instructions.
        processors: Processors of the guest.

    Raises:
        InputError: the core is unknown, or something it needs cannot be fetched.
        DeviceError: the guest does not boot.
    """
    image = guest_image()
    runner = runner_for("arm64", image.library)
    with running_guest(core, counting=counting, processors=processors) as guest:
        details = {"core": core, "emulator": "qemu-system-aarch64", "counting": counting}
        facts = MachineFacts("emulated-arm64", f"arm64:{core}", core, details)
        machine = LinuxMachine(guest.device, facts, runner, image.library, silence_s=1200)
        yield machine


def arm64_cost(machine: LinuxMachine, model: Path, *, profile: bool = False) -> Measurement:
    """Count the instructions of one inference on a counting guest.

    Args:
        machine: From `arm64_machine(..., counting=True)`.
        model: The TFLite file.
        profile: Add the operators' shares (a second pass).

    Raises:
        DeviceError: the runtime refuses the model or the guest fails.
    """
    request = RunRequest(
        model,
        warmup_runs=WARMUP_RUNS,
        warmup_seconds=0,
        runs=COUNTED_RUNS,
        min_seconds=0,
        max_seconds=NO_LIMIT_S,
    )
    counts = machine.run(request).latencies_ns
    median = round(statistics.median(counts))
    spread = spread_of(counts)
    unstable = spread * median > max(REPEATABILITY * median, TICK)
    problems = (f"equal inferences differ by {spread:.2%}",) if unstable else ()
    operators: tuple[Operator, ...] = ()
    if profile:
        profiled = RunRequest(
            model,
            warmup_runs=1,
            warmup_seconds=0,
            runs=1,
            min_seconds=0,
            max_seconds=NO_LIMIT_S,
            profile=True,
        )
        operators = machine.run(profiled).operators
    return Measurement(
        machine_facts(machine),
        machine.runner,
        model_facts(model),
        {"threads": 1, "delegate": "xnnpack"},
        instructions=Instructions(median, len(counts), spread, "icount"),
        operators=operators,
        problems=problems,
        measured_at=now(),
    )


def spread_of(counts: Sequence[int]) -> float:
    """(largest - smallest) / median of equal inferences, without the one that is farthest from the median.

    About one inference in fifty is interrupted by housekeeping of the guest's kernel (millions of
    instructions): the median does not feel it, and it says nothing about how repeatable the others are.
    """
    median = statistics.median(counts)
    kept = sorted(counts, key=lambda count: abs(count - median))[: max(1, len(counts) - 1)]
    return (max(kept) - min(kept)) / median


def armhf_cost(machine: ArmhfMachine, model: Path) -> Measurement:
    """Count the instructions of one inference of tflite-runtime on emulated 32-bit ARM.

    Raises:
        DeviceError: the runtime refuses the model.
    """
    count = machine.instructions(model)
    return Measurement(
        machine_facts(machine),
        machine.runner,
        model_facts(model),
        {"threads": 1, "delegate": "xnnpack"},
        # Whole-program counts of two programs, not single inferences: no spread to report.
        instructions=Instructions(count, 4, 0.0, "plugin"),
        measured_at=now(),
    )
