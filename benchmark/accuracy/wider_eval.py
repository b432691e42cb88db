"""`wider-eval`: the official WIDER FACE evaluation of predictions in the official text format."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from benchmark.accuracy.wider_ground_truth import SUBSETS, read_wider_ground_truth
from benchmark.accuracy.wider_predictions import read_wider_predictions
from benchmark.accuracy.wider_protocol import IOU, wider_average_precision


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `python -m benchmark`."""
    command = subparsers.add_parser(
        "wider-eval",
        help="official WIDER FACE AP (easy, medium, hard) of prediction files",
        description=__doc__,
    )
    command.add_argument("--predictions", type=Path, required=True, help="folder of EVENT/IMAGE.txt files")
    command.add_argument(
        "--ground-truth", type=Path, required=True, help="folder of wider_face_val.mat and wider_*_val.mat"
    )
    command.add_argument("--iou", type=float, default=IOU, help="overlap of a hit (default: %(default)s)")
    command.add_argument(
        "--present-only",
        action="store_true",
        help="leave out images without a prediction file instead of scoring them as no detection",
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate and print; what is missing is said on the error stream."""
    result = evaluate_predictions(
        options.predictions, options.ground_truth, options.iou, options.present_only
    )
    if options.json:
        print(json.dumps(result, indent=2, allow_nan=False))
        return 0
    for note in result["notes"]:
        print(f"note: {note}", file=sys.stderr)
    print(f"WIDER FACE protocol, IoU {options.iou:g}, {result['images']} images")
    for subset in SUBSETS:
        ap = result["ap"][subset]
        figure = f"{100 * ap:.2f}" if ap is not None else "no face"
        print(f"  {subset:6s} AP {figure:>7s}   ({result['faces'][subset]} faces)")
    return 0


def evaluate_predictions(
    predictions: Path, ground_truth: Path, iou: float = IOU, present_only: bool = False
) -> dict[str, Any]:
    """Evaluate a folder of predictions against the official ground truth.

    Returns:
        JSON values: "ap" and "faces" by subset (AP in 0..1, None without faces), "images", "notes".

    Raises:
        InputError: a folder or file cannot be used.
    """
    truth = read_wider_ground_truth(ground_truth)
    found = read_wider_predictions(predictions, [(image.event, image.name) for image in truth])
    notes = found.describe()
    if present_only:
        truth = [image for image in truth if (image.event, image.name) in found.rows]
        notes = list(found.notes)
    result = wider_average_precision(truth, found.rows, iou)
    return {
        "protocol": "WIDER FACE",
        "iou": iou,
        "images": len(truth),
        "present_only": present_only,
        "ap": {name: None if math.isnan(one.ap) else one.ap for name, one in result.items()},
        "faces": {name: one.faces for name, one in result.items()},
        "missing_events": list(found.missing_events),
        "missing_files": list(found.missing_files),
        "notes": notes,
    }
