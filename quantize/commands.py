"""The commands of quantize."""

from __future__ import annotations

import argparse
from pathlib import Path

from model.foundation.command_table import Command

PARITY_IMAGES = 24
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
    Command(
        "qat",
        "quantize.qat.commands:qat",
        "Train the integer file itself; goes on where the output folder stopped.",
        f"--model {_BUILT}_float32.tflite --checkpoint model/weights/featherface_v2.pth "
        "--ranges model/weights/featherface_v2_ranges.json --recipe quantize/recipes/int8.json "
        "--data build/demo/calibration/images --photographs build/demo/evaluation/images --output build/qat",
    ),
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both."""
    apply = subparsers.add_parser("apply", help="apply a recipe to a float32 TFLite file")
    apply.add_argument("--recipe", type=Path, required=True, help="recipe (JSON)")
    apply.add_argument("--model", type=Path, required=True, help="float32 TFLite file that convert made")
    apply.add_argument("--checkpoint", type=Path, required=True, help="the checkpoint it was made from")
    apply.add_argument("--ranges", type=Path, help="activation ranges (JSON), for recipes with int8 layers")
    apply.add_argument("--photographs", type=Path, required=True, help="folder of images for the parity")
    apply.add_argument(
        "--calibration",
        type=Path,
        nargs="+",
        default=(),
        help="manifest(s), for a recipe that corrects biases",
    )
    apply.add_argument("--output", type=Path, required=True, help="TFLite file to write")
    apply.set_defaults(run=_apply)
    ranges = subparsers.add_parser("ranges", help="measure activation ranges on selected images")
    ranges.add_argument("--model", type=Path, nargs="+", required=True, help="float32 TFLite, one per size")
    ranges.add_argument("--checkpoint", type=Path, required=True, help="the checkpoint they were made from")
    ranges.add_argument("--calibration", type=Path, nargs="+", required=True, help="manifest(s) of images")
    ranges.add_argument("--output", type=Path, required=True, help="ranges (JSON) to write")
    ranges.set_defaults(run=_ranges)


def _apply(options: argparse.Namespace) -> int:
    from quantize.apply import steps

    job = steps.Job(
        options.model, options.checkpoint, options.ranges, options.output, tuple(options.calibration)
    )
    steps.quantize(job, options.recipe, options.photographs, PARITY_IMAGES)
    return 0


def _ranges(options: argparse.Namespace) -> int:
    from quantize.apply import steps

    steps.measure(options.model, options.checkpoint, options.calibration, options.output)
    return 0
