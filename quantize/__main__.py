"""`python -m quantize COMMAND`: activation ranges, recipes, and what they do to a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.foundation.command_line import run_command

COMMANDS = {
    "quantize.commands": ("apply", "ranges"),
    "quantize.tune.equalize_command": ("equalize",),
    "quantize.tune.tuning_commands": ("sensitivity", "search", "bias-correction", "curve"),
    "quantize.inspect.audit": ("audit",),
    "quantize.inspect.lint": ("lint",),
    "quantize.inspect.compare": ("compare",),
    "quantize.onnx_runtime.steps": ("onnx",),
    "quantize.qat.commands": ("qat",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_command`."""
    return run_command("quantize", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
