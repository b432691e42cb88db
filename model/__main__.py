"""`python -m model COMMAND`: what a network consists of, a teacher's answers, training."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.commands import COMMANDS
from model.foundation.command_line.command_table import run_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    return run_commands("python -m model", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
