"""The loop: steps, checkpoints, the log, the look now and then, and stopping when a number is no number."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from model.foundation.command_line.progress import progress_console
from model.foundation.errors import InputError
from model.training.batches import Batches
from model.training.student import DivergedError, Student

STATE, WEIGHTS, LOG = "state.pt", "average.pth", "log.jsonl"
CHAPTERS = 100
"""A training is kept, and noted in its log, so many times."""

Look = Callable[[Student], dict[str, Any]]


def train(
    student: Student,
    source: Batches,
    output: Path,
    look: Look | None = None,
    looks: int = 10,
    workers: int = 0,
) -> None:
    """Train until the recipe's samples are seen.

    After each chapter `state.pt` (to resume from) and `average.pth` (weights alone) are replaced in
    `output`, and a line is added to `log.jsonl`; now and then one more with what a look measured.

    Args:
        student: Fresh or resumed.
        source: Of the batches.
        output: Folder of the run.
        look: Measures something about the student for the log.
        looks: How often, evenly over the whole training; the last at its end.
        workers: Processes that draw views while the network works.

    Raises:
        InputError: the training diverged; the state of the last whole chapter is kept.
    """
    output.mkdir(parents=True, exist_ok=True)
    steps = student.recipe.steps
    ends = {round(steps * (chapter + 1) / CHAPTERS) for chapter in range(CHAPTERS)} | {steps}
    due = {round(steps * (number + 1) / looks) for number in range(looks)}
    losses: list[Tensor] = []
    begun = time.monotonic()
    with _progress(student) as advance:
        for batch in source.from_step(student.steps, workers) if student.steps < steps else ():
            try:
                parts = student.step(batch)
            except DivergedError as error:
                raise InputError(
                    f"the training diverged at {error}; {output / STATE} keeps the last whole chapter: "
                    "lower the learning rate and begin in another folder"
                ) from None
            losses.append(torch.stack([parts.face, parts.boxes, parts.landmarks]).detach())
            advance(student.samples)
            if student.steps in ends:
                student.save(output / STATE)
                student.save_weights(output / WEIGHTS)
                _note(output, _entry(student, torch.stack(losses), time.monotonic() - begun))
                if look is not None and any(
                    student.steps - len(losses) < step <= student.steps for step in due
                ):
                    _note(output, {"samples": student.samples, **look(student)})
                losses, begun = [], time.monotonic()
            if student.steps >= steps:
                break


def _note(output: Path, entry: dict[str, Any]) -> None:
    """Add a line to the log."""
    with (output / LOG).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")


def _entry(student: Student, losses: Tensor, seconds: float) -> dict[str, Any]:
    """One line of the log."""
    face, boxes, landmarks = losses.mean(dim=0).tolist()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "samples": student.samples,
        "steps": student.steps,
        "rate_factor": round(student.recipe.rate_factor(student.steps), 5),
        "face": round(face, 5),
        "boxes": round(boxes, 5),
        "landmarks": round(landmarks, 5),
        "seconds": round(seconds, 2),
        "samples_per_s": round(len(losses) * student.recipe.pictures / seconds, 1),
    }


@contextmanager
def _progress(student: Student) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=progress_console(), refresh_per_second=0.5) as progress:
        task = progress.add_task("", total=student.recipe.samples, completed=student.samples)
        yield lambda samples: progress.update(task, completed=samples)
