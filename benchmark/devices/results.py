"""The one result format of every machine, and the file that an interrupted series goes on from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmark.adb.facts import Cluster, MachineFacts
from benchmark.devices.conditions import Conditions
from benchmark.devices.machine import Delegate, Instructions, Runner
from benchmark.runner.output import OperatorShare, Timing
from model.foundation.artifact import sha256_of
from model.foundation.records import fingerprint, read_record, write_record


@dataclass(frozen=True)
class Limits:
    """How long a measurement lasts.

    Attributes:
        runs, seconds: Both are reached. Source: MLPerf Mobile: at least 1024 samples and 60 s.
        warmup_runs, warmup_seconds: Both are reached before.
        cool_down_s: Longest wait for a device to cool.
        sample_every_s: Time between two looks at temperature and clocks.
        sustained_s: Length of the sustained run, or 0 for none.
        quick: Whether these are shorter than the method asks for; results are marked.
    """

    runs: int = 1024
    seconds: float = 60.0
    warmup_runs: int = 16
    warmup_seconds: float = 2.0
    cool_down_s: float = 600.0
    sample_every_s: float = 5.0
    sustained_s: float = 0.0
    quick: bool = False


@dataclass(frozen=True)
class Setting:
    """What varies between measurements of a model on a machine.

    Attributes:
        threads, delegate: Of the runtime.
        cluster: The processors that it was pinned to; None: not pinned.
        limits: How long it was timed; None where instructions were counted.
    """

    threads: int = 1
    delegate: Delegate = "xnnpack"
    cluster: Cluster | None = None
    limits: Limits | None = None

    @property
    def words(self) -> str:
        """For a table."""
        parts = [f"{self.threads} thr", self.delegate, self.cluster.name if self.cluster else ""]
        return ", ".join(filter(None, [*parts, "quick" if self.limits and self.limits.quick else ""]))


@dataclass(frozen=True)
class Minute:
    """One minute of back-to-back inferences: its number, its median latency in ms, how many there were."""

    minute: int
    ms: float
    runs: int | None = None


@dataclass(frozen=True)
class ModelFile:
    """What identifies a model file: its name, its size in bytes, its hash (64 hex digits)."""

    file: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> ModelFile:
        """Name, size and hash of a file."""
        return cls(path.name, path.stat().st_size, sha256_of(path))


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One model under one setting on one machine.

    Attributes:
        machine, model: What was measured on what.
        runner: What ran it; with `settings` part of what identifies a measurement.
        settings: How it was run.
        instructions: None where they cannot be counted.
        problems: Why the figures must not be trusted; empty for a valid measurement.
        timing: None on emulated machines: their wall time says nothing about a phone.
        operators: Shares of an inference, in run order.
        peak_memory_mb: From a pass of its own; None where unknown.
        stages_ms: Where the milliseconds of a frame go: stage -> mean; empty where only inference ran.
        replicate_ms: Median (or mean) latency of the second, independent pass.
        conditions: Temperature, frequency and battery while it ran.
        per_minute: The curve of a sustained run.
        measured_at: ISO 8601, UTC.
    """

    machine: MachineFacts
    model: ModelFile
    runner: Runner
    settings: Setting
    instructions: Instructions | None = None
    problems: tuple[str, ...] = ()
    timing: Timing | None = None
    operators: tuple[OperatorShare, ...] = ()
    peak_memory_mb: float | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)
    replicate_ms: float | None = None
    conditions: Conditions = field(default_factory=Conditions)
    per_minute: tuple[Minute, ...] = ()
    measured_at: str = ""

    @property
    def valid(self) -> bool:
        """Nothing speaks against the figures."""
        return not self.problems

    @property
    def key(self) -> str:
        """What makes two measurements the same one: machine, runner, model and settings."""
        parts = [self.machine.identity, self.runner, self.model.sha256, self.settings]
        return hashlib.sha256(fingerprint(parts).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Results:
    """A result file."""

    format: Literal["featherface-benchmark"]
    version: Literal[1]
    measurements: tuple[Measurement, ...]


def now() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class ResultFile:
    """Measurements in one JSON file, written after each of them.

    Attributes:
        path: The file.
        measurements: What it holds, by key.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Open the file; with `resume` keep what it holds, else start an empty one at the first `add`.

        Raises:
            InputError: with `resume`, the file is no result file of this format.
        """
        self.path = path
        self.measurements: dict[str, Measurement] = {}
        if resume and path.is_file():
            self.measurements = {found.key: found for found in read_results(path)}

    def add(self, measurement: Measurement) -> None:
        """Keep a measurement and write the file."""
        self.measurements[measurement.key] = measurement
        write_record(self.path, Results("featherface-benchmark", 1, tuple(self.measurements.values())))


def read_results(path: Path) -> list[Measurement]:
    """Read a result file.

    Raises:
        InputError: it is absent, or of another format or version.
    """
    return list(read_record(path, Results).measurements)


def merged(paths: Sequence[Path]) -> list[Measurement]:
    """The measurements of several files; a later file replaces the same measurement of an earlier one."""
    return list({item.key: item for path in paths for item in read_results(path)}.values())
