"""The commands of model: what a network consists of, and its training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.command_line.command_table import Command

COMMANDS = (
    Command(
        "summary",
        "model.commands:summary",
        "parameters and multiply-accumulates of a network, part by part",
        "--network featherface_v2 --size 320",
    ),
    Command(
        "teach",
        "model.training.commands:teach",
        "keep what a teacher finds in the training photographs",
        "--data photos --teacher scrfd_2.5g.onnx --output build/answers.npz",
    ),
    Command(
        "train",
        "model.training.commands:train",
        "train a network from marks, and from a teacher's answers; goes on where it stopped",
        "--data widerface --network retinaface --output build/training_retinaface",
    ),
    Command(
        "merge",
        "model.commands:merge",
        "bring together what several machines finished with --shard",
        "machine1/evaluation machine2/evaluation --into build/evaluation",
    ),
)


def summary(
    *, network: flags.Network = "featherface_v2", size: flags.Size = "320", json: flags.Json = None
) -> None:
    """Show parameters and multiply-accumulates of a network, part by part, beside those of V1."""
    from rich.console import Console

    from model.foundation.records import write_record
    from model.geometry.spec import parse_size
    from model.parameters import REFERENCE, compare, summarize

    height, width = parse_size(size)
    found = summarize(network, height, width)
    if json is not None:
        write_record(json, found)
    Console().print(compare(found, summarize(REFERENCE, height, width)))


def merge(
    finished: Annotated[
        list[Path], Parameter(help="journals (.jsonl), or folders of them", consume_multiple=True)
    ],
    *,
    into: Annotated[Path, Parameter(help="folder: the --cache of evaluate, or where --journal stands")],
) -> None:
    """Bring together what several machines finished with --shard: the same command without it does the rest.

    Journals of one name are of one work; what stands in the folder already stays.
    """
    from model.foundation.journal import merge as merge_journals

    for path, count in merge_journals(finished, into).items():
        print(f"{path}: {count} finished pieces")
