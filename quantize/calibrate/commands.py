"""The command `ranges`."""

from __future__ import annotations

from model.foundation.command_line import flags


def ranges(
    *,
    model: flags.Models,
    calibration: flags.Calibration,
    output: flags.Output,
    checkpoint: flags.Checkpoint | None = None,
) -> None:
    """Measure activation ranges of a checkpoint's float TFLite files, one for each input size.

    They are what a recipe with int8 layers needs, and belong to the checkpoint that the files were made from.
    """
    from model.foundation.command_line.progress import passing, tracked
    from model.foundation.errors import InputError

    with passing(f"{output.name}: loading the interpreter"):
        from model.runtime.running import open_model
        from quantize.calibrate.images import CalibrationImages
        from quantize.calibrate.meter import RangeMeter
        from quantize.calibrate.ranges import SizeRanges, calibration_facts, checkpoint_hash, write_ranges

    hashes = {checkpoint_hash(path, checkpoint) for path in model}
    if len(hashes) != 1:
        raise InputError("ranges belong to one checkpoint: the files of --model were made from several")
    sizes = {}
    for path in model:
        spec = open_model(path).spec
        images, meter = CalibrationImages(calibration, spec), RangeMeter(path)
        for image in tracked(images, f"activation ranges of {path.name}"):
            meter.add(image)
        meter.warn_of_unstable()
        facts = calibration_facts(calibration, len(images))
        sizes[f"{spec.input_height}x{spec.input_width}"] = SizeRanges.of(meter.ranges(), facts)
    write_ranges(output, hashes.pop(), sizes)
