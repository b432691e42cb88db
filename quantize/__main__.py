"""`python -m quantize COMMAND`: activation ranges, recipes, and what they do to a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.foundation.command_line.command_table import run_commands
from quantize.commands import COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    return run_commands("python -m quantize", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
