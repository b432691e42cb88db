"""`python -m model compare`: a network beside a reference, on labelled sets and where there are no labels."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from calibration_data.images import load_rgb
from model.checkpoint import load_checkpoint
from model.evaluation.average_precision import SCORE_FLOOR, Truth, match
from model.evaluation.face_changes import SHOWN_SCORE
from model.foundation.artifact import sha256_of, write_json
from model.foundation.errors import InputError
from model.layers.blocks import Detector
from model.networks import NETWORKS
from model.training.photographs import Photograph, read_folder
from model.training.scoring import found_in
from model.training.student import channels_last


@dataclass(frozen=True)
class Comparison:
    """AP at IoU 0.5, all points, score floor 0.02, NMS 0.4, on one set at one size.

    Attributes:
        name: Of the set; "(held aside)" where only that part was used.
        size: Side in pixels that photographs were letterboxed to.
        photographs, faces: How many there were.
        candidate: AP of the network; None without faces.
        reference: AP of the reference; None where its own detections are the faces.
    """

    name: str
    size: int
    photographs: int
    faces: int
    candidate: float | None
    reference: float | None


def compare_on(
    photographs: Sequence[Photograph],
    name: str,
    size: int,
    candidate: tuple[str, Detector],
    reference: tuple[str, Detector],
) -> Comparison:
    """Measure both networks (name, module) on one set; unlabelled photographs take the reference's faces."""
    labelled = photographs[0].labelled
    mine, theirs, truth = [], [], []
    for photograph in track(photographs, description=f"{name} {size}"):
        image = load_rgb(photograph.image.path)
        mine.append(found_in(candidate[1], candidate[0], image, size))
        theirs.append(found_in(reference[1], reference[0], image, size))
        if labelled:
            truth.append(Truth.of(photograph.image.boxes_xyxy, photograph.image.ignore))
        else:
            truth.append(_sure(theirs[-1].boxes_xyxy, theirs[-1].scores > SHOWN_SCORE))
    matched = match(mine, truth)
    beside = _number(match(theirs, truth).average_precision()) if labelled else None
    return Comparison(
        name, size, len(photographs), len(matched.face_image), _number(matched.average_precision()), beside
    )


def _sure(boxes_xyxy: NDArray[np.float32], shown: NDArray[np.bool_]) -> Truth:
    """The reference's detections as faces: those it shows count, the others may be found or not."""
    return Truth.of(boxes_xyxy, ~shown)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _table(found: Sequence[Comparison], candidate: str, reference: str) -> Table:
    table = Table(title="AP at IoU 0.5 (-: the reference's own detections are the faces)")
    for title in ("set", "photographs", "faces", "size", candidate, reference):
        table.add_column(title, justify="left" if title == "set" else "right")
    for one in found:
        figures = ["-" if value is None else f"{value:.3f}" for value in (one.candidate, one.reference)]
        row = (one.name, one.photographs, one.faces, one.size, *figures)
        table.add_row(*(str(value) for value in row))
    return table


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `compare`."""
    command = commands.add_parser("compare", help="a network's AP beside a reference's")
    command.add_argument("--checkpoint", type=Path, required=True)
    command.add_argument("--network", choices=sorted(NETWORKS), default="featherface_v2")
    command.add_argument("--reference", type=Path, required=True, help="checkpoint to compare with")
    command.add_argument("--reference-network", choices=sorted(NETWORKS), default="featherface_v1")
    command.add_argument("--data", type=Path, nargs="*", default=[], metavar="FOLDER", help="whole sets")
    command.add_argument(
        "--aside", type=Path, nargs="*", default=[], metavar="FOLDER", help="their held-aside part"
    )
    command.add_argument("--sizes", type=int, nargs="+", default=[320, 640])
    command.add_argument("--output", type=Path, help="write the figures as JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    sets = {folder.name: read_folder(folder) for folder in options.data}
    for folder in options.aside:
        sets[f"{folder.name} (held aside)"] = [p for p in read_folder(folder) if p.held_aside]
    if not sets:
        raise InputError("name the sets to compare on with --data or --aside")
    networks = [
        (name, channels_last(load_checkpoint(path, name).network))
        for path, name in (
            (options.checkpoint, options.network),
            (options.reference, options.reference_network),
        )
    ]
    found = [
        compare_on(photographs, name, size, networks[0], networks[1])
        for name, photographs in sets.items()
        for size in options.sizes
        if photographs
    ]
    Console().print(_table(found, options.network, options.reference_network))
    if options.output is not None:
        write_json(
            options.output,
            {
                "protocol": f"AP at IoU 0.5, all points, letterboxed, score floor {SCORE_FLOOR}, NMS 0.4",
                "checkpoint_sha256": sha256_of(options.checkpoint),
                "reference_sha256": sha256_of(options.reference),
                "sets": [asdict(one) for one in found],
            },
        )
    return 0
