"""`python -m quantize COMMAND`: activation ranges, recipes, and what they do to a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.foundation.command_line import run_command
from model.foundation.command_table import run_commands
from quantize.commands import COMMANDS

OLD = {
    "quantize.tune.equalize_command": ("equalize",),
    "quantize.tune.tuning_commands": ("sensitivity", "search", "bias-correction", "curve"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if any(given[:1] == [name] for names in OLD.values() for name in names):
        return run_command("quantize", __doc__, OLD, given)
    return run_commands("python -m quantize", __doc__, COMMANDS, given)


if __name__ == "__main__":
    sys.exit(main())
