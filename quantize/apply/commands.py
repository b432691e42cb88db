"""The command `apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags


def apply(
    *,
    model: flags.Model,
    recipe: flags.Recipe,
    photographs: flags.Photographs,
    output: flags.Output,
    ranges: Annotated[
        Path | None, Parameter(help="activation ranges that `ranges` measured, for int8 layers")
    ] = None,
    calibration: flags.Calibration = [],
    checkpoint: flags.Checkpoint | None = None,
) -> None:
    """Apply a recipe to a float32 TFLite file that convert made.

    The record beside the output says what it was made from and how far it is from the float file; with
    --checkpoint, which must be what that was made from, from the PyTorch network too.
    Int8 layers need --ranges, or --calibration to measure them; a recipe that corrects biases needs
    --calibration too. On those images the score is measured above which the file shows as many faces as the
    float file does: it goes into the file's spec. Outputs that join quantities of different units are cut
    into their roles where the spec names them.
    """
    from model.foundation.command_line.progress import passing

    with passing(f"{output.name}: loading the quantizer"):
        from quantize.apply.steps import Job, quantize_file

    quantize_file(Job(model, checkpoint, recipe, photographs, output, ranges, tuple(calibration)))
