"""`python -m benchmark COMMAND`: evaluation, drift, the report and its gate, devices and latency."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.command_line import run_command

COMMANDS = {
    "benchmark.doctor": ("doctor",),
    "benchmark.summary": ("summary",),
    "benchmark.evaluate": ("evaluate",),
    "benchmark.wider_eval": ("wider-eval",),
    "benchmark.drift": ("drift",),
    "benchmark.report": ("report",),
    "benchmark.gate": ("gate",),
    "benchmark.bit_exact": ("hashes",),
    "benchmark.devices.list_command": ("devices",),
    "benchmark.devices.arm_command": ("arm",),
    "benchmark.devices.latency_command": ("latency",),
    "benchmark.devices.run_command": ("run",),
    "benchmark.devices.phone_command": ("evaluate-phone",),
    "benchmark.devices.predict_command": ("predict", "calibrate"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_command`."""
    return run_command("benchmark", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
