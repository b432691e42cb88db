"""`python -m convert`: the only command of `convert.commands`."""

from __future__ import annotations

import sys

from convert.commands import COMMANDS
from model.foundation.command_line.command_table import run_command

if __name__ == "__main__":
    sys.exit(run_command("python -m convert", COMMANDS[0]))
