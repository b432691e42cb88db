"""`python -m benchmark COMMAND`: evaluation, drift, the report and its gate, devices and latency."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.foundation.command_line import run_command

COMMANDS = {
    "benchmark.doctor": ("doctor",),
    "benchmark.report.build_table": ("summary",),
    "benchmark.accuracy.evaluate": ("evaluate",),
    "benchmark.accuracy.wider_eval": ("wider-eval",),
    "benchmark.accuracy.drift": ("drift",),
    "benchmark.report.command": ("report",),
    "benchmark.report.gate": ("gate",),
    "benchmark.accuracy.bit_exact": ("hashes",),
    "benchmark.devices.list_command": ("devices",),
    "benchmark.emulation.command": ("arm",),
    "benchmark.devices.latency_command": ("latency",),
    "benchmark.devices.run_command": ("run",),
    "benchmark.phone.phone_command": ("evaluate-phone",),
    "benchmark.prediction.command": ("predict", "calibrate"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_command`."""
    return run_command("benchmark", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
