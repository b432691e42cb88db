"""The command of `convert`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.command_line.command_table import Command
from model.foundation.errors import InputError

COMMANDS: tuple[Command, ...] = (
    Command(
        "convert",
        "convert.commands:convert",
        "Checkpoint -> simplified ONNX and float32 TFLite, each held against PyTorch.",
        "--checkpoint model/weights/featherface_v2.pth --network featherface_v2 --size 320 "
        "--photographs build/demo/evaluation/images",
    ),
    Command(
        "guess-spec",
        "convert.commands:guess_spec",
        "Propose the spec of a foreign ONNX or TFLite file from the shapes of its outputs.",
        "detector.onnx --size 320 --output detector.json",
    ),
)


def convert(
    *,
    checkpoint: flags.Checkpoint | None = None,
    network: Annotated[
        flags.Network, Parameter(help="a file of model/networks, or package.module:function with --spec")
    ] = "",
    model: Annotated[
        flags.Model | None, Parameter(help="instead of weights: an ONNX or float TFLite file, with --spec")
    ] = None,
    spec: Annotated[
        Path | None, Parameter(help="JSON that says how to feed and read it: see convert/README.md")
    ] = None,
    size: Annotated[flags.Size, Parameter(help="input size: 320 or HEIGHTxWIDTH; the spec's, or 320")] = "",
    photographs: flags.Photographs,
    called: flags.Called = "",
    output: Annotated[flags.Output, Parameter(help="folder for the files")] = Path("build"),
) -> None:
    """A trained network -> simplified ONNX and float32 TFLite, each held against PyTorch.

    The network is a checkpoint of one that is known by name, anybody's ONNX or float TFLite file, or what a
    function returns. A TFLite file keeps its graph, and no ONNX file is made of it.
    """
    from convert.doors import check, named, open_network
    from model.foundation.command_line.progress import passing

    source = checkpoint or model
    if source is None or (checkpoint and model):
        raise InputError(
            "convert: give either weights with --checkpoint, or an ONNX or TFLite file with --model"
        )
    check(source, network, spec, size)
    with passing(f"{source.name}: opening it with PyTorch"):
        from convert.conversion import convert as convert_network

        opened = replace(open_network(source, network, spec, size), name=named(called))
    convert_network(opened, photographs, output)


def guess_spec(
    model: flags.Model,
    *,
    size: Annotated[flags.Size, Parameter(help="input size of an ONNX file (default: 320)")] = "",
    output: Annotated[flags.Output | None, Parameter(help="spec (JSON) to write")] = None,
) -> None:
    """Propose how to feed and read a foreign ONNX or TFLite file, from the shapes and names of its outputs.

    Says what it concluded from what, and what shapes cannot tell: look at the faces that `detect` draws.
    """
    import json

    from convert.doors.guess import guess_spec as guess
    from model.foundation.artifact import write_json
    from model.geometry.spec import DetectorSpec

    found = guess(model, size)
    DetectorSpec.from_json(found.spec)
    if output is None:
        fields = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in found.spec.items())
        print("{\n" + ",\n".join(fields) + "\n}")
    else:
        write_json(output, found.spec)
        print(f"spec written to {output}")
    for reason in found.reasons:
        print(f"concluded: {reason}")
    for doubt in found.doubts:
        print(f"not sure:  {doubt}")
