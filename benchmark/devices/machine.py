"""What every kind of machine offers: run a model as asked, say what it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmark.devices.runner_output import RunnerOutput

Delegate = Literal["xnnpack", "none", "gpu"]
DELEGATES: tuple[Delegate, ...] = ("xnnpack", "none", "gpu")
"""XNNPACK on the CPU, TFLite's own kernels on the CPU, the GPU delegate."""


@dataclass(frozen=True)
class RunRequest:
    """One run of one model.

    Attributes:
        model: The TFLite file on this computer.
        threads: Threads of the runtime.
        delegate: One of DELEGATES.
        warmup_runs, warmup_seconds: Both are reached before timing starts.
        runs, min_seconds: Both are reached before timing ends...
        max_seconds: ...unless this is over.
        processors: Processors to pin to, e.g. (4, 5, 6, 7); empty: no pinning.
        profile: Record the operators' shares (slows the run down).
        memory: Report the peak memory.
        frames: Raw input frames, one after another; None: a fixed pattern.
        outputs: Folder on this computer that gets INDEX.raw for each output, all frames one after another.
    """

    model: Path
    threads: int = 1
    delegate: Delegate = "xnnpack"
    warmup_runs: int = 1
    warmup_seconds: float = 0.5
    runs: int = 50
    min_seconds: float = 1.0
    max_seconds: float = 150.0
    processors: tuple[int, ...] = ()
    profile: bool = False
    memory: bool = False
    frames: Path | None = None
    outputs: Path | None = None


@dataclass(frozen=True)
class MachineFacts:
    """What is known about a machine; None and empty mean that it does not say.

    Attributes:
        kind: "host", "emulated-arm64", "emulated-armhf" or "adb".
        name: How the user addressed it, e.g. "arm64:cortex-a53" or "adb:SERIAL".
        identity: What stays the same however it is connected (the phone's serial number).
        details: Everything else, as JSON values.
    """

    kind: str
    name: str
    identity: str
    details: dict[str, Any] = field(default_factory=dict)


class Machine(ABC):
    """A machine that can run TFLite models."""

    @property
    @abstractmethod
    def facts(self) -> MachineFacts:
        """What it is."""

    @property
    @abstractmethod
    def runner(self) -> dict[str, str]:
        """The program that runs models there: its name and the runtime's version."""

    @abstractmethod
    def run(self, request: RunRequest) -> RunnerOutput:
        """Run a model and return what the runner measured.

        Raises:
            DeviceError: the device or its runner fails; one clear line.
        """


def runner_flags(request: RunRequest, graph: str) -> list[str]:
    """A request as flags that benchmark_model and our own runners share."""
    flags = [
        f"--graph={graph}",
        f"--num_threads={request.threads}",
        f"--use_xnnpack={'true' if request.delegate == 'xnnpack' else 'false'}",
        f"--warmup_runs={request.warmup_runs}",
        f"--warmup_min_secs={request.warmup_seconds:g}",
        f"--num_runs={request.runs}",
        f"--min_secs={request.min_seconds:g}",
        f"--max_secs={request.max_seconds:g}",
    ]
    if request.delegate == "gpu":
        flags.append("--use_gpu=true")
    if request.profile:
        flags.append("--enable_op_profiling=true")
    if request.memory:
        flags.append("--report_peak_memory_footprint=true")
    return flags
