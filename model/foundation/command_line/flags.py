"""The vocabulary of the command lines: a flag of this name means this, everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Model = Annotated[Path, Parameter(help="a model file: .tflite or .onnx")]
Models = Annotated[list[Path], Parameter(help="model files: .tflite or .onnx", consume_multiple=True)]
Images = Annotated[Path, Parameter(help="folder of photographs, searched with its subfolders")]
Labels = Annotated[
    Path, Parameter(help="label.txt of the photographs (RetinaFace's format, or WIDER FACE's)")
]
Output = Annotated[
    Path, Parameter(help="what to write; an earlier one is replaced when the new one is whole")
]
Json = Annotated[Path | None, Parameter(help="write the result as JSON too")]
Quiet = Annotated[bool, Parameter(help="print the result only, no progress")]
Size = Annotated[str, Parameter(help="input size in pixels: 320, or HEIGHTxWIDTH, multiples of 32")]
Device = Annotated[str, Parameter(help="the machine: see the command `devices`")]
Limit = Annotated[int | None, Parameter(help="only so many images, drawn at random with --seed")]
Seed = Annotated[int, Parameter(help="of every random choice")]
Checkpoint = Annotated[Path, Parameter(help="trained weights (.pth)")]
Network = Annotated[str, Parameter(help="a network by name: see the folder model/networks")]
Called = Annotated[
    str,
    Parameter(help="what the files are called, NAME_HxW_precision.tflite; the network's name if not given"),
]
Photographs = Annotated[
    Path, Parameter(help="folder of photographs to compare outputs on; not those of the calibration")
]
Processes = Annotated[int | None, Parameter(help="that share the work (default: all cores)")]
Executor = Annotated[
    str | None,
    Parameter(
        name="--executor",
        help="a Dask scheduler that hands the work out, dask://host:8786, instead of --processes",
    ),
]
Shard = Annotated[
    str | None,
    Parameter(
        name="--shard",
        help="do only the i-th of n parts, i/n; when all are done: `merge`, and this command without --shard",
    ),
]
Calibration = Annotated[
    list[Path],
    Parameter(help="manifests of images that `calibration_data select` wrote", consume_multiple=True),
]
Recipe = Annotated[Path, Parameter(help="recipe (JSON): see the folder quantize/recipes")]
