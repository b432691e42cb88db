"""The one result format of every machine, and the file that an interrupted series goes on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.devices.machine import Machine
from benchmark.devices.runner_output import Operator
from model.foundation.artifact import read_json, sha256_of, write_json
from model.foundation.errors import InputError

FORMAT = "featherface-benchmark"
VERSION = 1


@dataclass(frozen=True)
class Instructions:
    """Instructions of one inference on one thread.

    Attributes:
        count: Median of `runs` inferences.
        runs: Inferences counted.
        spread: (largest - smallest) / median of them, the one farthest from the median left out.
        method: "icount" (the guest's clock) or "plugin" (QEMU's TCG plugin).
    """

    count: int
    runs: int
    spread: float
    method: str


@dataclass(frozen=True)
class Timing:
    """Latencies of an inference in milliseconds; a figure that the runner does not give is None.

    Attributes:
        runs, seconds: How much was timed.
        init, first: Loading the model; its first inference.
        mean, std, minimum, p50, p90, p99, maximum: Of the timed runs.
        fps: 1000 / mean: inferences a second, without camera and box decoding.
    """

    runs: int
    seconds: float
    init: float
    first: float
    mean: float
    std: float
    minimum: float
    maximum: float
    p50: float | None
    p90: float | None
    p99: float | None

    @property
    def fps(self) -> float:
        """Inferences a second."""
        return 1000.0 / self.mean if self.mean else 0.0


@dataclass(frozen=True)
class Measurement:
    """One model under one setting on one machine.

    Attributes:
        machine, runner, model: What was measured with what, as JSON values.
        settings: Threads, delegate, cluster, processors, limits; part of what identifies a measurement.
        timing: None on emulated machines: their wall time says nothing about a phone.
        instructions: None where they cannot be counted.
        operators: Shares of an inference, in run order.
        peak_memory_mb: From a pass of its own; None where unknown.
        stages_ms: Where the milliseconds of a frame go: stage -> mean; empty where only inference ran.
        replicate_ms: Median (or mean) latency of the second, independent pass.
        conditions: Temperature, frequency and battery while it ran.
        per_minute: The curve of a sustained run.
        problems: Why the figures must not be trusted; empty for a valid measurement.
    """

    machine: dict[str, Any]
    runner: dict[str, str]
    model: dict[str, Any]
    settings: dict[str, Any]
    timing: Timing | None = None
    instructions: Instructions | None = None
    operators: tuple[Operator, ...] = ()
    peak_memory_mb: float | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)
    replicate_ms: float | None = None
    conditions: dict[str, Any] = field(default_factory=dict)
    per_minute: tuple[dict[str, Any], ...] = ()
    problems: tuple[str, ...] = ()
    measured_at: str = ""

    @property
    def valid(self) -> bool:
        """Whether nothing speaks against the figures."""
        return not self.problems

    @property
    def key(self) -> str:
        """What makes two measurements the same one: machine, runner, model and settings."""
        parts = [self.machine.get("identity"), self.runner, self.model["sha256"], self.settings]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]

    def to_json(self) -> dict[str, Any]:
        """The measurement as JSON values."""
        value = asdict(self)
        if self.timing is not None:
            value["timing"]["fps"] = self.timing.fps
        return {"key": self.key, "valid": self.valid, **value}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Measurement:
        """Read back what `to_json` made."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        if known.get("timing"):
            known["timing"] = Timing(
                **{name: item for name, item in known["timing"].items() if name != "fps"}
            )
        if known.get("instructions"):
            known["instructions"] = Instructions(**known["instructions"])
        known["operators"] = tuple(Operator(**item) for item in known.get("operators", ()))
        known["per_minute"] = tuple(known.get("per_minute", ()))
        known["problems"] = tuple(known.get("problems", ()))
        return cls(**known)


def model_facts(path: Path) -> dict[str, Any]:
    """What identifies a model file."""
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def machine_facts(machine: Machine) -> dict[str, Any]:
    """A machine's facts as JSON values."""
    return asdict(machine.facts)


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
        items = [found.to_json() for found in self.measurements.values()]
        write_json(self.path, {"format": FORMAT, "version": VERSION, "measurements": items})


def read_results(path: Path) -> list[Measurement]:
    """Read a result file.

    Raises:
        InputError: it is absent, or of another format or version.
    """
    value = read_json(path)
    if value.get("format") != FORMAT or value.get("version") != VERSION:
        raise InputError(f"{path} is no {FORMAT} file of version {VERSION}")
    return [Measurement.from_json(item) for item in value["measurements"]]


def merged(paths: Sequence[Path]) -> list[Measurement]:
    """The measurements of several files; a later file replaces the same measurement of an earlier one."""
    found: dict[str, Measurement] = {}
    for path in paths:
        found.update({item.key: item for item in read_results(path)})
    return list(found.values())
