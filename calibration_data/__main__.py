"""`python -m calibration_data COMMAND`: compose the demo set, select images for calibration."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from calibration_data.commands import COMMANDS
from model.foundation.command_line.command_table import run_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    return run_commands("python -m calibration_data", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
