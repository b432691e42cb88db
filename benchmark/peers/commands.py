"""The command `peers`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags

Names = Annotated[list[str], Parameter(consume_multiple=True)]


def peers(
    *,
    set_: Annotated[
        list[tuple[str, Path, Path]],
        Parameter(name="set", help="NAME IMAGES LABELS of a labelled set; may be given several times"),
    ],
    calibration: flags.Calibration,
    photographs: flags.Photographs,
    weights: Annotated[
        list[Path], Parameter(help="folders with other people's weights and files", consume_multiple=True)
    ] = [],
    peer: Annotated[Names, Parameter(help="files of benchmark/peers/models (default: all)")] = [],
    convert: Annotated[
        str, Parameter(help='models that other converters are given, too, by comma; "" for none')
    ] = "featherface_v2,retinaface",
    converter: Annotated[Names, Parameter(help="files of benchmark/peers/converters (default: all)")] = [],
    cores: Annotated[
        str, Parameter(help='emulated cores to count instructions on, by comma; "" for none')
    ] = "cortex-a53,cortex-a76",
    size: flags.Size = "320",
    again: Annotated[bool, Parameter(help="try converters that failed once more")] = False,
    output: flags.Output = Path("build/peers"),
) -> None:
    """Compare models, and converters on the same weights: AP, bytes, operators, instructions, time.

    Each converter runs in an environment of its own, which uv makes at its first use. What was made and
    measured is kept; a converter that fails is a row that says why. The folder gets peers.md, peers.json and
    pictures.
    """
    from calibration_data.image_set import ImageSet
    from model.foundation.command_line.progress import passing

    with passing("loading what models run on"):
        from benchmark.devices.kind import KINDS
        from benchmark.peers.comparison import Comparison, write
        from benchmark.peers.converters import converters
        from benchmark.peers.models import peer_models
        from benchmark.peers.workshop import Wanted

    for core in _split(cores):
        KINDS["arm64"].require_name(core)
    peer_models(_split(convert))
    wanted = Wanted(size, tuple(calibration), photographs, output)
    sets = [ImageSet.read(images, labels, name) for name, images, labels in set_]
    plan = Comparison(
        peer_models(peer), tuple(converters(converter)), _split(convert), tuple(weights), wanted
    )
    print(write(output, plan.rows(sets, _split(cores), again)))


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)
