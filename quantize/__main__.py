"""`python -m quantize COMMAND`: activation ranges, recipes, and what they do to a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.command_line import run_command

COMMANDS = {
    "quantize.commands": ("apply", "ranges"),
    "quantize.equalize_command": ("equalize",),
    "quantize.tuning_commands": ("sensitivity", "search", "bias-correction", "curve"),
    "quantize.audit": ("audit",),
    "quantize.lint": ("lint",),
    "quantize.compare": ("compare",),
    "quantize.onnx_branch": ("onnx",),
    "quantize.qat.commands": ("qat",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_command`."""
    return run_command("quantize", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
