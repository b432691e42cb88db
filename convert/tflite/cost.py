"""What an inference of a file costs on a core: the part of the benchmark's result file that lies below it.

The benchmark writes these records with more around them; who needs the counts only reads these types, and
what they do not name is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model.foundation.artifact import sha256_of


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


@dataclass(frozen=True)
class MachineFacts:
    """What is known about a machine.

    Attributes:
        kind: "host", "emulated-arm64", "emulated-arm64-app", "emulated-armhf", "adb" ...
        name: How the user addressed it, e.g. "arm64:cortex-a53" or "adb:SERIAL".
        identity: What stays the same however it is connected (the phone's serial number).
        details: Everything else, as JSON values; what it does not say is None or absent.
    """

    kind: str
    name: str
    identity: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Delegated:
    """What XNNPACK took of a file: `taken` of its `operators`, in `parts` (each costs a hand-over)."""

    taken: int
    operators: int
    parts: int


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


@dataclass(frozen=True, kw_only=True)
class FileCost:
    """One model file on one machine.

    Attributes:
        machine, model: What was measured on what.
        instructions: None where they cannot be counted.
        problems: Why the figures must not be trusted; empty for a valid measurement.
    """

    machine: MachineFacts
    model: ModelFile
    instructions: Instructions | None = None
    problems: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Nothing speaks against the figures."""
        return not self.problems


@dataclass(frozen=True)
class CostFile:
    """A result file of `benchmark latency`, as far as costs go."""

    format: Literal["featherface-benchmark"]
    version: Literal[1]
    measurements: tuple[FileCost, ...]
