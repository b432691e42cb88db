"""What every kind of machine offers: run a model as asked, say what it is."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmark.adb.facts import Cluster, MachineFacts
from benchmark.adb.heat import Sample
from benchmark.runner.output import Delegated, OperatorShare, RunnerOutput, parse

Delegate = Literal["xnnpack", "none", "gpu"]
DELEGATES: tuple[Delegate, ...] = ("xnnpack", "none", "gpu")
"""XNNPACK on the CPU, TFLite's own kernels on the CPU, the GPU delegate."""


@dataclass(frozen=True)
class Runner:
    """The program that runs models on a machine; what it does not tell is empty.

    Attributes:
        name: "litert_runner", "app_runner", "tflite_runner", "benchmark_model" or "app".
        runtime: The runtime with its version.
        version: Of the program itself.
        sha256: Of the program's file, where the user gave it.
    """

    name: str
    runtime: str = ""
    version: str = ""
    sha256: str = ""


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
class Instructions:
    """Instructions of one inference on one thread.

    Attributes:
        count: Median of `runs` inferences.
        runs: Inferences counted.
        spread: (largest - smallest) / median of them, the one farthest from the median left out.
        method: "icount" (the guest's clock) or "plugin" (QEMU's TCG plugin).
        delegated: What XNNPACK took; None where the runtime does not tell.
    """

    count: int
    runs: int
    spread: float
    method: str
    delegated: Delegated | None = None


class Machine(ABC):
    """A machine that can run TFLite models.

    Attributes:
        clusters: Its groups of processors, slowest first; empty where a run cannot be pinned.
        keeps_latencies: Its runner tells every single latency, not only their statistics.
    """

    clusters: tuple[Cluster, ...] = ()
    keeps_latencies = True

    @property
    @abstractmethod
    def facts(self) -> MachineFacts:
        """What it is."""

    @property
    @abstractmethod
    def runner(self) -> Runner:
        """The program that runs models there."""

    @abstractmethod
    def run(self, request: RunRequest) -> RunnerOutput:
        """Run a model and return what the runner measured.

        Raises:
            DeviceError: the device or its runner fails; one clear line.
            InputError: the machine cannot do what is asked (a profile, raw outputs, a GPU).
        """

    def sample(self, since: float) -> Sample | None:
        """Its heat and clocks now; None where it has none to tell.

        Args:
            since: `time.monotonic()` of the moment that counts as 0.

        Raises:
            DeviceError: it does not answer.
        """
        del since
        return None


class CountingMachine(Machine):
    """A machine whose time means nothing, but which counts instructions."""

    @abstractmethod
    def instructions(self, model: Path) -> Instructions:
        """Count the instructions of one inference.

        Raises:
            DeviceError: the runtime refuses the model, or the machine fails.
        """

    @abstractmethod
    def operators(self, model: Path) -> tuple[OperatorShare, ...]:
        """The operators' shares of one inference's instructions, in run order.

        Raises:
            DeviceError: the runtime refuses the model, or the machine fails.
            InputError: the runtime tells no shares.
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


def file_flags(request: RunRequest, latencies: str, frames: str | None, outputs: str | None) -> list[str]:
    """What our own runners take beyond `runner_flags`: processors, and where their files are over there."""
    flags = [f"--latencies_file={latencies}"]
    if request.processors:
        flags.append("--cpus=" + ",".join(str(number) for number in request.processors))
    if frames is not None:
        flags.append(f"--input_file={frames}")
    if outputs is not None:
        flags.append(f"--output_dir={outputs}")
    return flags


def run_on_these_files(request: RunRequest, runner: str, launch: Callable[[list[str]], str]) -> RunnerOutput:
    """Run one of our own runners where it sees this computer's files.

    Args:
        request: What to run.
        runner: Its name, for messages.
        launch: Starts the runner with these flags and returns all that it prints.
    """
    with tempfile.TemporaryDirectory() as folder:
        latencies = Path(folder) / "latencies"
        if request.outputs is not None:
            request.outputs.mkdir(parents=True, exist_ok=True)
        frames, outputs = (None if path is None else str(path) for path in (request.frames, request.outputs))
        flags = runner_flags(request, str(request.model))
        text = launch([*flags, *file_flags(request, str(latencies), frames, outputs)])
        timed = tuple(int(line) for line in latencies.read_text().split())
    return replace(parse(text, runner), latencies_ns=timed)
