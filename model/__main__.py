"""`python -m model COMMAND`: what a network consists of, cached teacher views, training, comparison."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.foundation.command_line import run_command

COMMANDS = {
    "model.parameters": ("summary",),
    "model.training.commands": ("teach", "train"),
    "model.training.comparing": ("compare",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_command`."""
    return run_command("model", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
