"""Command line: activation ranges and recipes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.errors import exit_code_of

PARITY_IMAGES = 24


def main() -> int:
    """Parse the arguments and run one command."""
    parser = argparse.ArgumentParser(prog="python -m quantize", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    apply = commands.add_parser("apply", help="apply a recipe to a float32 TFLite file")
    apply.add_argument("--recipe", type=Path, required=True, help="recipe (JSON)")
    apply.add_argument("--model", type=Path, required=True, help="float32 TFLite file that convert made")
    apply.add_argument("--checkpoint", type=Path, required=True, help="the checkpoint it was made from")
    apply.add_argument("--ranges", type=Path, help="activation ranges (JSON), for recipes with int8 layers")
    apply.add_argument("--photographs", type=Path, required=True, help="folder of images for the parity")
    apply.add_argument("--output", type=Path, required=True, help="TFLite file to write")
    ranges = commands.add_parser("ranges", help="measure activation ranges on selected images")
    ranges.add_argument("--model", type=Path, nargs="+", required=True, help="float32 TFLite, one per size")
    ranges.add_argument("--checkpoint", type=Path, required=True, help="the checkpoint they were made from")
    ranges.add_argument("--calibration", type=Path, nargs="+", required=True, help="manifest(s) of images")
    ranges.add_argument("--output", type=Path, required=True, help="ranges (JSON) to write")
    arguments = parser.parse_args()
    from quantize import steps

    if arguments.command == "ranges":
        steps.measure(arguments.model, arguments.checkpoint, arguments.calibration, arguments.output)
    else:
        steps.quantize(
            steps.Job(arguments.model, arguments.checkpoint, arguments.ranges, arguments.output),
            arguments.recipe,
            arguments.photographs,
            PARITY_IMAGES,
        )
    return 0


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
