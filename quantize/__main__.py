"""`python -m quantize COMMAND`: activation ranges, recipes, and what they do to a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.foundation.command_line import run_command
from model.foundation.command_table import Command, run_commands

OLD = {
    "quantize.commands": ("apply", "ranges"),
    "quantize.tune.equalize_command": ("equalize",),
    "quantize.tune.tuning_commands": ("sensitivity", "search", "bias-correction", "curve"),
    "quantize.onnx_runtime.steps": ("onnx",),
    "quantize.qat.commands": ("qat",),
}
_BUILT = "build/featherface_v2_320x320"
COMMANDS: tuple[Command, ...] = (
    Command(
        "lint",
        "quantize.inspect.commands:lint",
        "Before calibration: what will not survive INT8, by layer, why, and the remedy.",
        "--network featherface_v2 --checkpoint model/weights/featherface_v2.pth",
    ),
    Command(
        "audit",
        "quantize.inspect.commands:audit",
        "Say what is really in a TFLite file; --require makes it a gate.",
        f'{_BUILT}_int8.tflite --require "int8_macs>=0.9,outputs>=3,islands<=0"',
    ),
    Command(
        "compare",
        "quantize.inspect.commands:compare",
        "SQNR of each layer between two TFLite files, with histograms.",
        f"{_BUILT}_float32.tflite {_BUILT}_int8.tflite --images build/demo/evaluation/images",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_commands`."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if any(given[:1] == [name] for names in OLD.values() for name in names):
        return run_command("quantize", __doc__, OLD, given)
    return run_commands("python -m quantize", __doc__, COMMANDS, given)


if __name__ == "__main__":
    sys.exit(main())
