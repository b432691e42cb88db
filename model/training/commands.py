"""The command line's `teach` and `train`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from model.foundation.artifact import write_json
from model.foundation.errors import InputError
from model.training.batches import BatchSource, CachedViews, FreshViews
from model.training.loop import STATE, train
from model.training.photographs import Photograph, read_folder, read_photographs
from model.training.plots import plot_run
from model.training.recipe import Recipe
from model.training.scoring import score
from model.training.start import measure_statistics
from model.training.student import Student
from model.training.teacher import Teacher
from model.training.teaching import teach

LOOK_SIZES = (320, 640)
STATISTICS_BATCHES = 8
FAR_STEP = 10**9
"""Batches that measure the first statistics are numbered from here, apart from those trained on."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `teach` and `train`."""
    _register_teach(commands)
    _register_train(commands)


def _register_teach(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("teach", help="render views and keep a teacher's answers for them")
    _add_data(command)
    _add_teacher(command, required=True)
    command.add_argument("--output", type=Path, required=True, help="folder of the views, about 1.7 MB each")
    command.add_argument(
        "--views", type=int, default=4096, help="how many there shall be (default: %(default)s)"
    )
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=int, default=1, help="of the CPU (default: %(default)s)")
    command.set_defaults(run=_teach)


def _register_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("train", help="train a network; goes on where the output folder stopped")
    _add_data(command)
    command.add_argument(
        "--output", type=Path, required=True, help="folder of the run: state, weights, log, plot"
    )
    command.add_argument(
        "--views", type=Path, nargs="*", help="cached views that 'teach' wrote: distillation without teacher"
    )
    _add_teacher(command, required=False)
    command.add_argument(
        "--start", type=Path, help="checkpoint to start from: the same network's, or a donor's"
    )
    command.add_argument(
        "--start-network", default="retinaface", help="network of --start (default: %(default)s)"
    )
    command.add_argument(
        "--report", type=Path, nargs="*", default=[], help="evaluation folders to report AP on"
    )
    command.add_argument(
        "--look-every", type=int, default=4, help="epochs between two looks (default: %(default)s)"
    )
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    command.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    command.add_argument("--workers", type=int, default=1, help="threads that prepare batches")
    recipe = command.add_argument_group("recipe")
    for field in dataclasses.fields(Recipe):
        option = "--" + field.name.replace("_", "-")
        if isinstance(field.default, tuple):
            recipe.add_argument(option, type=float, nargs=len(field.default), default=field.default)
        else:
            recipe.add_argument(
                option, type=type(field.default), default=field.default, help="default: %(default)s"
            )
    command.set_defaults(run=_train)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="training folders: label.txt and images/, or photographs without labels",
    )


def _add_teacher(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument("--teacher", type=Path, required=required, help="checkpoint of the teacher")
    command.add_argument("--teacher-network", default="featherface_v1", help="default: %(default)s")
    command.add_argument("--teacher-mirrored", action="store_true", help="average over the mirror image, too")


def _threads(count: int) -> None:
    if count < 1:
        raise InputError(f"--threads must be at least 1, found {count}")
    torch.set_num_threads(count)
    cv2.setNumThreads(1)  # batches are prepared beside the network, which has the cores


def _teach(options: argparse.Namespace) -> int:
    _threads(options.threads)
    photographs = read_photographs(options.data)
    teacher = Teacher.load(options.teacher, options.teacher_network, options.teacher_mirrored)
    written = teach(photographs, teacher, options.output, options.views, options.seed)
    print(f"{written} shards written to {options.output}")
    return 0


def _train(options: argparse.Namespace) -> int:
    _threads(options.threads)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this PyTorch sees no GPU; use --device cpu")
    recipe = Recipe.from_json(
        {field.name: getattr(options, field.name) for field in dataclasses.fields(Recipe)}
    )
    photographs = read_photographs(options.data)
    source, width = _source(options, recipe, photographs)
    student = Student(recipe, options.device, width)
    if (options.output / STATE).is_file():
        student.restore(options.output / STATE)
        print(f"goes on after {student.samples:,} samples")
    else:
        _begin(student, options, source)
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "recipe.json", recipe.to_json())
    look = look_at(photographs, options.report)
    train(student, source, options.output, look, options.look_every, options.workers)
    plot_run(options.output)
    return 0


def _source(
    options: argparse.Namespace, recipe: Recipe, photographs: Sequence[Photograph]
) -> tuple[BatchSource, int]:
    """Cached views, the teacher itself, or labels alone; and the width of the teacher's features."""
    if options.views:
        if recipe.features_until:
            raise InputError("--features-until needs --teacher without --views: features are not cached")
        return CachedViews(options.views, photographs, recipe.seed, recipe.pictures, recipe.temperature), 0
    if options.teacher is None:
        return FreshViews(photographs, recipe.seed, recipe.pictures), 0
    teacher = Teacher.load(options.teacher, options.teacher_network, options.teacher_mirrored)
    source = FreshViews(photographs, recipe.seed, recipe.pictures, teacher, recipe.temperature)
    return source, teacher.width


def _begin(student: Student, options: argparse.Namespace, source: BatchSource) -> None:
    """Fresh weights: the donor's backbone, then statistics of the rest."""
    if options.start is None:
        return
    if options.start_network == student.recipe.network:
        student.start_weights(options.start)
        return
    network = student.start(options.start, options.start_network)

    def inputs() -> Sequence[Tensor]:
        steps = range(FAR_STEP, FAR_STEP + STATISTICS_BATCHES)
        return [student.inputs(source.batch(step).pixels.to(student.device)) for step in steps]

    measure_statistics(network, inputs(), ("laterals", "fusion", "attention", "context", "heads"))
    student.average.load_state_dict(student.network.state_dict())


def look_at(photographs: Sequence[Photograph], report: Sequence[Path]) -> Callable[[Student], dict[str, Any]]:
    """Measures AP of the averaged weights: on what is held aside, which selects, and on `report`."""
    sets: dict[str, list[Photograph]] = {}
    for photograph in photographs:
        if photograph.labelled and photograph.held_aside:
            sets.setdefault(f"aside_{photograph.folder}", []).append(photograph)
    for folder in report:
        sets[folder.name] = read_folder(folder)

    def look(student: Student) -> dict[str, Any]:
        network, name = student.average, student.recipe.network
        return {
            f"{key}_{size}": round(score(network, name, members, size).average_precision, 4)
            for key, members in sets.items()
            for size in LOOK_SIZES
        }

    return look
