"""`featherface NAME`: every command of every package behind one door.

Each package keeps its own table (`PACKAGE/commands.py`) and its own `python -m PACKAGE`; here they stand
together under the names that tell them apart.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace

from model.foundation.command_line.command_table import Command, run_commands

PACKAGES = ("model", "calibration_data", "convert", "quantize", "benchmark")
ABOUT = "From a trained face detector to phones: convert, quantize, measure."


def commands() -> tuple[Command, ...]:
    """All commands in the order of the pipeline, under the names that they have behind the front door."""
    return tuple(
        replace(command, name=command.front or command.name, group=package)
        for package in PACKAGES
        for command in importlib.import_module(f"{package}.commands").COMMANDS
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    return run_commands("featherface", ABOUT, commands(), arguments)


if __name__ == "__main__":
    sys.exit(main())
