"""`python -m benchmark COMMAND`: evaluation, drift, the report and its gate, devices and latency."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmark.commands import COMMANDS
from model.foundation.command_line import run_command
from model.foundation.command_table import run_commands

REGISTERED = {
    "benchmark.devices.list_command": ("devices",),
    "benchmark.emulation.command": ("arm",),
    "benchmark.devices.latency_command": ("latency",),
    "benchmark.devices.run_command": ("run",),
    "benchmark.phone.phone_command": ("evaluate-phone",),
    "benchmark.prediction.command": ("predict", "calibrate"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and any(given[0] in names for names in REGISTERED.values()):
        return run_command("benchmark", __doc__, REGISTERED, given)
    return run_commands("python -m benchmark", __doc__, COMMANDS, given)


if __name__ == "__main__":
    sys.exit(main())
