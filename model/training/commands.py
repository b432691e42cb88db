"""The commands `teach` and `train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.training.recipe import Recipe

if TYPE_CHECKING:
    from model.training.loop import Look
    from model.training.samples.photographs import Photograph
    from model.training.student import Student

LOOK_SIZES = (320, 640)

Folders = Annotated[list[Path], Parameter(consume_multiple=True)]
Data = Annotated[
    list[Path],
    Parameter(
        consume_multiple=True,
        help="training folders: label.txt and images/, or photographs without labels; one that is named "
        "twice is shown twice as often",
    ),
]
Processor = Annotated[Literal["cpu", "cuda"], Parameter(help="that computes")]
Threads = Annotated[int | None, Parameter(help="of the CPU (default: all)")]


def teach(
    *,
    data: Data = [],
    teacher: Annotated[Path, Parameter(help="SCRFD as an ONNX file")],
    output: flags.Output,
    processor: Processor = "cpu",
    threads: Threads = None,
) -> None:
    """Keep what a teacher finds in the training photographs, as a file of answers (.npz)."""
    import numpy as np

    from model.foundation.command_line.progress import tracked
    from model.training.processor import prepared
    from model.training.samples.photographs import read_photographs, unique
    from model.training.sources import open_album
    from model.training.teacher.answers import SIDES, look, merged, save_answers
    from model.training.teacher.scrfd import Scrfd

    device = prepared(processor, threads)
    photographs = unique(read_photographs(data))
    network = Scrfd(teacher).eval().to(device)
    album, _ = open_album(photographs)
    marked = np.array([photograph.labelled for photograph in photographs])
    numbers, found = np.arange(len(photographs)), {}
    for choice, sides in ((numbers[marked], SIDES[:1]), (numbers[~marked], SIDES)):
        looks = look(network, album, choice, sides, 16 if device.type == "cuda" else 1)
        for number, each in zip(choice, tracked(looks, "teacher", len(choice)), strict=True):
            found[int(number)] = merged(each)
    keys = [photograph.key for photograph in photographs]
    save_answers(output, keys, [found[number] for number in range(len(keys))])
    print(f"{len(keys)} answers written to {output}")


def train(
    *,
    data: Data = [],
    output: Annotated[flags.Output, Parameter(help="folder of the run: state, weights, log, plot")],
    teacher: Annotated[Path | None, Parameter(help="SCRFD as an ONNX file; without, marks alone")] = None,
    answers: Annotated[Path | None, Parameter(help="what 'teach' wrote; without, marks alone")] = None,
    start: Annotated[Path | None, Parameter(help="checkpoint of the same network to start from")] = None,
    report: Annotated[Folders, Parameter(help="evaluation folders to report AP on")] = [],
    looks: Annotated[int, Parameter(help="at AP")] = 10,
    workers: Annotated[int, Parameter(help="processes that draw views")] = 0,
    processor: Processor = "cpu",
    threads: Threads = None,
    recipe: Recipe = Recipe(),
) -> None:
    """Train a network; goes on where the output folder stopped."""
    from model.foundation.records import write_record
    from model.training.loop import STATE
    from model.training.loop import train as run
    from model.training.plots import plot_run
    from model.training.processor import prepared
    from model.training.samples.photographs import read_photographs
    from model.training.sources import source_of
    from model.training.student import Student
    from model.training.teacher.scrfd import Scrfd

    device = prepared(processor, threads)
    photographs = read_photographs(data)
    student = Student(recipe, processor)
    if (output / STATE).is_file():
        student.restore(output / STATE)
        print(f"goes on after {student.samples:,} samples")
    elif start is not None:
        student.start_from(start)
    output.mkdir(parents=True, exist_ok=True)
    write_record(output / "recipe.json", recipe)
    network = None if teacher is None else Scrfd(teacher).eval().to(device)
    source = source_of(photographs, recipe, answers, processor, network)
    run(student, source, output, look_at(photographs, report), looks, workers)
    plot_run(output)


def look_at(photographs: Sequence[Photograph], report: Sequence[Path]) -> Look:
    """Measures AP of the averaged weights: on what is held aside, which selects, and on `report`."""
    from model.evaluation import evaluate
    from model.networks import spec_of
    from model.runtime.running import TorchModel
    from model.training.samples.photographs import held_aside, read_folder

    sets = {f"aside_{folder}": images for folder, images in held_aside(photographs).items()}
    for folder in report:
        sets[folder.name] = [photograph.image for photograph in read_folder(folder)]

    def measure(student: Student) -> dict[str, Any]:
        found = {}
        for size in LOOK_SIZES:
            model = TorchModel(student.average, spec_of(student.recipe.network, size, size))
            for key, images in sets.items():
                matched = evaluate(model, images, ious=(0.5,)).matched
                found[f"{key}_{size}"] = round(matched.average_precision(), 4)
        return found

    return measure
