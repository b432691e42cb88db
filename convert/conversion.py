"""What came through a door -> ONNX and float TFLite, each held against its origin before it gets its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convert.doors import Opened, OpenedFile
from convert.onnx_file.export import export_onnx
from convert.tflite.export import export_tflite
from convert.tflite.foreign import adopt_tflite
from model.foundation.artifact import Artifact
from model.foundation.command_line.progress import step
from model.geometry.letterbox import Pixels


def convert_to(
    opened: Opened, photographs: Sequence[Pixels], onnx: Path, tflite: Path
) -> tuple[Artifact, Artifact]:
    """Make both files and the records beside them.

    Args:
        opened: What a door gave.
        photographs: uint8 RGB [H, W, 3] of the spec's size, for the parity.
        onnx, tflite: Files to write.

    Raises:
        GateError: a file does not compute what the network computes; see `export_onnx`, `export_tflite`.
    """
    with step(f"{onnx.name}: export, simplify, parity"):
        exported = export_onnx(opened.network, opened.spec, opened.source, onnx, photographs)
    with step(f"{tflite.name}: convert, parity"):
        sources = {"checkpoint": opened.source, "onnx": onnx}
        converted = export_tflite(opened.network, opened.spec, sources, tflite, photographs)
    return exported, converted


def convert(
    opened: Opened | OpenedFile, photographs: Path, output: Path = Path("build")
) -> tuple[Artifact, ...]:
    """Make the simplified ONNX and the float32 TFLite file of a network; of a TFLite file only the latter.

    Args:
        opened: What a door gave; see `convert.doors.open_network`.
        photographs: Folder of images to compare outputs on.
        output: Folder for the files: NAME_HxW.onnx, NAME_HxW_float32.tflite and their records.

    Returns:
        The ONNX file, if one is made, and the TFLite file.

    Raises:
        InputError: something given cannot be used.
        GateError: a file does not compute what the network computes.
    """
    from convert.photographs import parity_inputs

    for note in opened.notes:
        print(f"{opened.source.name}: {note}")
    spec = opened.spec
    inputs = parity_inputs(photographs, spec)
    tflite = output / f"{opened.stem}_float32.tflite"
    if isinstance(opened, OpenedFile):
        with step(f"{tflite.name}: adopt, parity"):
            return (adopt_tflite(opened.source, spec, tflite, inputs),)
    return convert_to(opened, inputs, output / f"{opened.stem}.onnx", tflite)
