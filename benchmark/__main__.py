"""`python -m benchmark COMMAND`: evaluation, drift, the report and its gate, devices and latency."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmark.commands import COMMANDS
from model.foundation.command_line.command_table import run_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    return run_commands("python -m benchmark", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
