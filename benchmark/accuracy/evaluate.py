"""`evaluate`: AP, recall by face height and precision-recall of models on a labelled set."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from benchmark.accuracy.evaluation import EvaluatedModel, Evaluation, evaluate
from benchmark.accuracy.options import (
    ImageSet,
    add_model_options,
    add_protocol_options,
    protocol_of,
    read_set,
    spec_for,
)
from benchmark.accuracy.wider_ground_truth import SUBSETS, WiderImage, read_wider_ground_truth
from benchmark.accuracy.wider_predictions import write_wider_predictions
from model.evaluation.detections import DetectionJob, detect_all
from model.foundation.artifact import sha256_of, write_json
from model.runtime.running import open_model


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `python -m benchmark`."""
    command = subparsers.add_parser(
        "evaluate", help="AP of .tflite, .onnx and .pth files on a labelled set", description=__doc__
    )
    command.add_argument("--model", type=Path, nargs="+", required=True, help=".tflite, .onnx or .pth")
    command.add_argument(
        "--images", type=Path, required=True, help="folder that the labels' names are relative to"
    )
    command.add_argument(
        "--labels",
        type=Path,
        required=True,
        help="wider_face_*_bbx_gt.txt, label.txt or an FDDB ellipse list",
    )
    command.add_argument("--name", help="name of the set in tables (default: its folder's)")
    command.add_argument(
        "--skip-absent", action="store_true", help="leave out labelled images that are not there"
    )
    command.add_argument(
        "--wider-ground-truth",
        type=Path,
        help="folder of the official .mat files: easy, medium and hard AP as well",
    )
    command.add_argument(
        "--write-predictions", type=Path, help="also write WIDER FACE's text format into FOLDER/MODEL"
    )
    add_model_options(command)
    add_protocol_options(command)
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--output", type=Path, help="write the evaluations as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate every model and print a table, or JSON."""
    images = read_set(options.images, options.labels, options.name, options.skip_absent)
    images = images.sample(options.limit, options.seed)
    wider = (
        None if options.wider_ground_truth is None else read_wider_ground_truth(options.wider_ground_truth)
    )
    evaluations = [evaluate_file(model, images, options, wider) for model in options.model]
    values = {"evaluations": [one.to_json() for one in evaluations]}
    if options.output is not None:
        write_json(options.output, values)
    if options.json:
        print(json.dumps(values, indent=2, allow_nan=False))
    else:
        print_table(evaluations)
    return 0


def evaluate_file(
    model: Path, images: ImageSet, options: argparse.Namespace, wider: list[WiderImage] | None
) -> Evaluation:
    """Run one model file on a labelled set and score it.

    Raises:
        InputError: the model, an image or a label cannot be used.
    """
    given, protocol = spec_for(model, options), protocol_of(options)
    subject = EvaluatedModel(model, sha256_of(model), open_model(model, given).spec, protocol)
    cache = None if options.no_resume else options.cache
    job = DetectionJob(model, given, images.images, protocol, options.processes, cache, subject.sha256)
    started = time.perf_counter()
    found = detect_all(job, quiet=options.quiet)
    seconds = time.perf_counter() - started
    if options.write_predictions is not None:
        for name, one in found.items():
            event, file_name = name.rsplit("/", 1) if "/" in name else ("images", name)
            write_wider_predictions(options.write_predictions / model.stem, event, file_name, one.found)
    result = evaluate(subject, images.name, images.labels or (), found, wider)
    return result if cache is not None else replace(result, images_per_second=len(found) / seconds)


def print_table(evaluations: list[Evaluation]) -> None:
    """Print evaluations of one set as a table, in percent."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    first = evaluations[0]
    ignored = f" and {first.ignored} ignored" if first.ignored else ""
    console.print(f"{first.set}: {first.images} images, {first.faces} faces{ignored}", highlight=False)
    for protocol in dict.fromkeys(one.protocol for one in evaluations):
        console.print(f"protocol: {protocol}", highlight=False)
    subsets = SUBSETS if any(one.wider for one in evaluations) else ()
    bands = [f"recall {band} px" for band in first.recall_by_height]
    point = f"P / R at {first.score_threshold:g}"
    name = Column("model", overflow="fold")  # names differ at their ends: never cut one
    table = Table(name, "AP50", "AP50:95", point, *bands, *(f"WIDER {subset}" for subset in subsets))
    for one in evaluations:
        heights = [_share(row["found"], row["faces"]) for row in one.recall_by_height.values()]
        wider = [percent((one.wider or {}).get(subset)) for subset in subsets]
        at_threshold = f"{percent(one.precision)} / {percent(one.recall)}"
        table.add_row(one.model, percent(one.ap50), percent(one.ap50_95), at_threshold, *heights, *wider)
    console.print(table)
    for one in evaluations:
        if one.images_per_second is not None:
            console.print(f"{one.model}: {one.images_per_second:.1f} images/s", highlight=False)


def percent(value: float | None) -> str:
    """A share as a percentage with two digits; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.2f}"


def _share(found: int, faces: int) -> str:
    return f"{100 * found / faces:.1f} ({found}/{faces})" if faces else "-"
