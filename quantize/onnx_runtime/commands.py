"""The command `onnx`."""

from __future__ import annotations

from model.foundation.command_line import flags


def onnx(
    *,
    model: flags.Model,
    recipe: flags.Recipe,
    photographs: flags.Photographs,
    output: flags.Output,
    calibration: flags.Calibration = [],
    checkpoint: flags.Checkpoint | None = None,
) -> None:
    """Apply a recipe to the float32 ONNX file that convert made, with NNCF, for ONNX Runtime.

    The record beside the output says how far it is from the float file, and with --checkpoint from the
    PyTorch network too. The recipe is the TFLite file's; its int8 layers need images to calibrate on
    (--calibration).
    """
    from model.foundation.command_line.progress import passing

    with passing(f"{output.name}: loading the quantizer"):
        from quantize.apply.steps import Job
        from quantize.onnx_runtime.steps import quantize_onnx_file

    quantize_onnx_file(Job(model, checkpoint, recipe, photographs, output, None, tuple(calibration)))
