"""`python -m model COMMAND`: what a network consists of, cached teacher views, training, comparison."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.commands import COMMANDS
from model.foundation.command_line import run_command
from model.foundation.command_table import run_commands

REGISTERED = {
    "model.training.commands": ("teach", "train"),
    "model.training.comparing": ("compare",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and any(given[0] in names for names in REGISTERED.values()):
        return run_command("model", __doc__, REGISTERED, given)
    return run_commands("python -m model", __doc__, COMMANDS, given)


if __name__ == "__main__":
    sys.exit(main())
