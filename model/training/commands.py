"""The command line's `teach` and `train`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.progress import track

from model.foundation.artifact import write_json
from model.foundation.errors import InputError
from model.networks import NETWORKS
from model.training.answers import SIDES, look, merged, save_answers
from model.training.loop import STATE, Look, train
from model.training.photographs import Photograph, read_folder, read_photographs
from model.training.plots import plot_run
from model.training.recipe import Recipe
from model.training.scoring import score
from model.training.scrfd import Scrfd
from model.training.sources import open_album, source_of, unique
from model.training.student import Student

LOOK_SIZES = (320, 640)


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `teach` and `train`."""
    command = commands.add_parser("teach", help="keep what a teacher finds in the training photographs")
    _add_data(command)
    command.add_argument("--teacher", type=Path, required=True, help="SCRFD as an ONNX file")
    command.add_argument("--output", type=Path, required=True, help="file of the answers (.npz)")
    command.set_defaults(run=_teach)
    command = commands.add_parser("train", help="train a network; goes on where the output folder stopped")
    _add_data(command)
    command.add_argument("--teacher", type=Path, help="SCRFD as an ONNX file; without, marks alone")
    command.add_argument("--answers", type=Path, help="what 'teach' wrote; without, marks alone")
    command.add_argument("--start", type=Path, help="checkpoint of the same network to start from")
    command.add_argument(
        "--output", type=Path, required=True, help="folder of the run: state, weights, log, plot"
    )
    command.add_argument(
        "--report", type=Path, nargs="*", default=[], help="evaluation folders to report AP on"
    )
    command.add_argument("--looks", type=int, default=10, help="at AP (default: %(default)s)")
    command.add_argument("--workers", type=int, default=0, help="processes that draw views")
    _add_recipe(command.add_argument_group("recipe"))
    command.set_defaults(run=_train)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="training folders: label.txt and images/, or photographs without labels; one that is named "
        "twice is shown twice as often",
    )
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    command.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    for field in dataclasses.fields(Recipe):
        option = "--" + field.name.replace("_", "-")
        if isinstance(field.default, tuple):
            kind: Any = type(field.default[0])
            group.add_argument(option, type=kind, nargs="+", default=field.default)
        elif field.name == "network":
            group.add_argument(option, choices=sorted(NETWORKS), default=field.default)
        else:
            group.add_argument(
                option, type=type(field.default), default=field.default, help="default: %(default)s"
            )


def _prepare(options: argparse.Namespace) -> torch.device:
    if options.threads < 1:
        raise InputError(f"--threads must be at least 1, found {options.threads}")
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)  # views are drawn beside the network, which has the cores
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this PyTorch sees no GPU; use --device cpu")
    return torch.device(options.device)


def _teach(options: argparse.Namespace) -> int:
    device = _prepare(options)
    photographs = unique(read_photographs(options.data))
    teacher = Scrfd(options.teacher).eval().to(device)
    album, _ = open_album(photographs)
    marked = np.array([photograph.labelled for photograph in photographs])
    numbers, found = np.arange(len(photographs)), {}
    for choice, sides in ((numbers[marked], SIDES[:1]), (numbers[~marked], SIDES)):
        looks = look(teacher, album, choice, sides, 16 if device.type == "cuda" else 1)
        for number, each in zip(choice, track(looks, "teacher", len(choice)), strict=True):
            found[int(number)] = merged(each)
    keys = [photograph.key for photograph in photographs]
    save_answers(options.output, keys, [found[number] for number in range(len(keys))])
    print(f"{len(keys)} answers written to {options.output}")
    return 0


def _train(options: argparse.Namespace) -> int:
    device = _prepare(options)
    recipe = Recipe.from_json(
        {field.name: getattr(options, field.name) for field in dataclasses.fields(Recipe)}
    )
    photographs = read_photographs(options.data)
    student = Student(recipe, options.device)
    if (options.output / STATE).is_file():
        student.restore(options.output / STATE)
        print(f"goes on after {student.samples:,} samples")
    elif options.start is not None:
        student.start_from(options.start)
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "recipe.json", recipe.to_json())
    teacher = None if options.teacher is None else Scrfd(options.teacher).eval().to(device)
    source = source_of(photographs, recipe, options.answers, options.device, teacher)
    train(
        student, source, options.output, look_at(photographs, options.report), options.looks, options.workers
    )
    plot_run(options.output)
    return 0


def look_at(photographs: Sequence[Photograph], report: Sequence[Path]) -> Look:
    """Measures AP of the averaged weights: on what is held aside, which selects, and on `report`."""
    sets: dict[str, list[Photograph]] = {}
    for photograph in unique(photographs):
        if photograph.labelled and photograph.held_aside:
            sets.setdefault(f"aside_{photograph.folder}", []).append(photograph)
    for folder in report:
        sets[folder.name] = read_folder(folder)

    def measure(student: Student) -> dict[str, Any]:
        return {
            f"{key}_{size}": round(
                score(student.average, student.recipe.network, members, size).average_precision, 4
            )
            for key, members in sets.items()
            for size in LOOK_SIZES
        }

    return measure
