"""The command of `convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation import flags
from model.foundation.command_table import Command
from model.foundation.errors import InputError

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
    checkpoint: flags.Checkpoint | None = None,
    network: Annotated[
        flags.Network, Parameter(help="a file of model/networks, or package.module:function with --spec")
    ] = "",
    model: Annotated[
        flags.Model | None, Parameter(help="instead of weights: an ONNX file, with --spec")
    ] = None,
    spec: Annotated[
        Path | None, Parameter(help="JSON that says how to feed and read it: see convert/README.md")
    ] = None,
    size: Annotated[flags.Size, Parameter(help="input size: 320 or HEIGHTxWIDTH; the spec's, or 320")] = "",
    photographs: flags.Photographs | None = None,
    output: Annotated[flags.Output, Parameter(help="folder for the files")] = Path("build"),
    stamp: Annotated[
        Path | None,
        Parameter(
            help="convert nothing: check the arguments and note the hash of what would be converted in this "
            "file, which changes when that does (for make)"
        ),
    ] = None,
) -> None:
    """A trained network -> simplified ONNX and float32 TFLite, each held against PyTorch.

    The network is a checkpoint of one that is known by name, anybody's ONNX file, or what a function returns.
    """
    from convert.doors import check, open_network, write_stamp

    source = checkpoint or model
    if source is None or (checkpoint and model):
        raise InputError("convert: give either weights with --checkpoint or an ONNX file with --model")
    check(source, network, spec, size)
    if stamp is not None:
        return write_stamp((source, spec), stamp)
    if photographs is None:
        raise InputError("convert: give a folder of images to compare outputs on with --photographs")
    from convert.conversion import convert as convert_network

    convert_network(open_network(source, network, spec, size), photographs, output)
    return None
