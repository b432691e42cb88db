"""The command of `convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_table import Command
from model.foundation.errors import InputError
from model.foundation.flags import Checkpoint, Network, Output, Photographs, Size

COMMANDS: tuple[Command, ...] = (
    Command(
        "convert",
        "convert.commands:convert",
        "Checkpoint -> simplified ONNX and float32 TFLite, each held against PyTorch.",
        "--checkpoint model/weights/featherface_v2.pth --network featherface_v2 --size 320 "
        "--photographs build/demo/evaluation/images",
    ),
)


def convert(
    *,
    checkpoint: Checkpoint,
    network: Network,
    size: Size = "320",
    photographs: Photographs | None = None,
    output: Annotated[Output, Parameter(help="folder for the files")] = Path("build"),
    stamp: Annotated[
        Path | None,
        Parameter(
            help="convert nothing: check the arguments and note the checkpoint's hash in this file, which "
            "changes when the checkpoint does (for make)"
        ),
    ] = None,
) -> None:
    """Checkpoint -> simplified ONNX and float32 TFLite, each held against PyTorch."""
    from convert.doors.checkpoint import check, write_stamp

    check(checkpoint, network, size)
    if stamp is not None:
        return write_stamp(checkpoint, stamp)
    if photographs is None:
        raise InputError("convert: give a folder of images to compare outputs on with --photographs")
    from convert.conversion import convert as convert_checkpoint

    convert_checkpoint(checkpoint, network, photographs, size, output)
    return None
