"""The commands of quantize."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.command_line.command_table import Command
from model.foundation.errors import InputError

_BUILT = "build/featherface_v2_320x320"
_WEIGHTS = "--checkpoint model/weights/featherface_v2.pth"
_RANGES = "--ranges model/weights/featherface_v2_ranges.json"
_LOOK = "--photographs build/demo/evaluation/images"
_CALIBRATION = f"--calibration {_BUILT}/calibration.json"
_TRIED = f"--model {_BUILT}_float32.tflite {_RANGES} --data build/demo/evaluation"

COMMANDS: tuple[Command, ...] = (
    Command(
        "check",
        "quantize.commands:check",
        "Refuse in the first second what would fail after minutes.",
        f"{_WEIGHTS} --network featherface_v2 --size 320 --recipe quantize/recipes/int8.json",
    ),
    Command(
        "apply",
        "quantize.apply.commands:apply",
        "Apply a recipe to a float32 TFLite file.",
        f"--model {_BUILT}_float32.tflite --recipe quantize/recipes/int8.json {_RANGES} {_LOOK} "
        f"--output {_BUILT}_int8.tflite",
        front="quantize",
    ),
    Command(
        "ranges",
        "quantize.calibrate.commands:ranges",
        "Measure activation ranges on selected images.",
        f"--model {_BUILT}_float32.tflite {_CALIBRATION} --output build/ranges.json",
    ),
    Command(
        "onnx",
        "quantize.onnx_runtime.commands:onnx",
        "Apply a recipe to an ONNX file, for ONNX Runtime.",
        f"--model {_BUILT}.onnx --recipe quantize/recipes/int8.json {_CALIBRATION} {_LOOK} "
        f"--output {_BUILT}_int8.onnx",
        front="quantize-onnx",
    ),
    Command(
        "equalize",
        "quantize.tune.commands:equalize",
        "Rewrite a checkpoint exactly, so that INT8 loses less.",
        f"{_WEIGHTS} --network featherface_v2 {_CALIBRATION} --output build/equalized.pth",
    ),
    Command(
        "sensitivity",
        "quantize.tune.commands:sensitivity",
        "AP and SQNR with each layer alone in INT8, and with each alone in float.",
        f"{_TRIED} --output build/sensitivity.json",
    ),
    Command(
        "search",
        "quantize.tune.commands:search",
        "The smallest or fastest mix of INT8 and FP16 whose AP50 falls by no more than a limit.",
        f"{_TRIED} --objective a53 --max-drop 0.5 --recipe build/searched.json --output build/search.json",
    ),
    Command(
        "curve",
        "quantize.tune.commands:curve",
        "AP of the INT8 file against the number of calibration images.",
        f"--model {_BUILT}_float32.tflite {_CALIBRATION} --data build/demo/evaluation "
        "--output build/curve.json",
    ),
    Command(
        "lint",
        "quantize.inspect.commands:lint",
        "Before calibration: what will not survive INT8, by layer, why, and the remedy.",
        f"--network featherface_v2 {_WEIGHTS}",
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
        f"--model {_BUILT}_float32.tflite {_WEIGHTS} {_RANGES} --recipe quantize/recipes/int8.json "
        f"--data build/demo/calibration/images {_LOOK} --output build/qat",
    ),
)


def check(
    *,
    checkpoint: flags.Checkpoint | None = None,
    network: flags.Network = "",
    model: Annotated[
        flags.Model | None, Parameter(help="instead of weights: an ONNX or float TFLite file")
    ] = None,
    spec: Annotated[Path | None, Parameter(help="of a network that is none of this project's")] = None,
    size: flags.Size = "",
    called: flags.Called = "",
    images: Annotated[flags.Images | None, Parameter(help="folder of photographs to calibrate on")] = None,
    recipe: Annotated[
        list[flags.Recipe],
        Parameter(help="recipes (JSON) to apply: see quantize/recipes", consume_multiple=True),
    ] = [],
    stamp: Annotated[
        Path | None,
        Parameter(help="note in this file what the build is made from; it changes when that does (for make)"),
    ] = None,
) -> None:
    """Refuse in the first second what would fail after minutes: files, network, size, photographs, recipes.

    A stamp that notes another checkpoint is left as it is: its files would be overwritten.
    """
    from convert.doors import check as check_network
    from convert.doors import named, open_network
    from quantize.build_inputs import Noted, note
    from quantize.recipe import read_recipe

    source = checkpoint or model
    if source is None or (checkpoint and model):
        raise InputError(
            "check: give either weights with --checkpoint, or an ONNX or TFLite file with --model"
        )
    check_network(source, network, spec, size)
    named(called)
    if images is not None:
        from calibration_data.images import list_images

        list_images(images)
    for path in recipe:
        read_recipe(path)
    if stamp is not None:
        files = [source] if spec is None else [source, spec]
        note(Noted.of(files), stamp, lambda: open_network(source, network, spec, size))
