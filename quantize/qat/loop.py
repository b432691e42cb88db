"""The loop: steps, the state of each epoch, the log, and stopping when a number is no number."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.foundation.errors import InputError
from model.training.batches import Batch
from model.training.student import DivergedError
from model.training.views import TILE
from quantize.qat.trainee import Trainee

STATE, LOG = "state.pt", "log.jsonl"


class Draws(Protocol):
    """Where batches come from: FreshViews, or something like it."""

    def drawn(self, draw: np.random.Generator, side: int, count: int) -> Batch:
        """A batch of `count` pictures of `side` pixels."""


Look = Callable[[Trainee], dict[str, Any]]


def train(trainee: Trainee, source: Draws, output: Path, look: Look | None = None, looks: int = 2) -> None:
    """Train until the schedule's steps are done; the batch of a step depends on seed and step alone.

    After each epoch `state.pt` is replaced in `output` and a line is added to `log.jsonl`.

    Args:
        trainee: Fresh, or resumed.
        source: Of the batches.
        output: Folder of the run.
        look: Measures something for the log: before the first step, and `looks` times on the way.
        looks: See `look`.

    Raises:
        InputError: the training diverged; the state of the last whole epoch is kept.
    """
    output.mkdir(parents=True, exist_ok=True)
    schedule = trainee.schedule
    due = {round(schedule.steps * (number + 1) / looks) for number in range(looks)}
    if look is not None and trainee.steps == 0:
        _note(output, {"step": 0, **look(trainee)})
    with _progress(trainee) as advance:
        while trainee.steps < schedule.steps:
            begun, first = time.monotonic(), trainee.steps
            goal = min(schedule.steps, first + schedule.epoch_steps)
            losses = []
            try:
                while trainee.steps < goal:
                    parts = trainee.step(batch_of(trainee, source))
                    losses.append(
                        [
                            float(parts.face.detach()),
                            float(parts.boxes.detach()),
                            float(parts.landmarks.detach()),
                        ]
                    )
                    advance(trainee.steps, losses[-1][0])
            except DivergedError as error:
                raise InputError(
                    f"the training diverged at {error}; {output / STATE} keeps the last whole epoch: "
                    "lower the rates and start in another folder"
                ) from None
            trainee.save(output / STATE)
            _note(output, _entry(trainee, np.mean(losses, axis=0), time.monotonic() - begun))
            if look is not None and any(first < step <= trainee.steps for step in due):
                _note(output, {"step": trainee.steps, **look(trainee)})


def batch_of(trainee: Trainee, source: Draws) -> Batch:
    """The batch of the trainee's next step; sizes take turns and have equally many pixels."""
    side = trainee.sides[trainee.steps % len(trainee.sides)]
    count = max(1, round(trainee.schedule.pictures * TILE * TILE / (side * side)))
    return source.drawn(np.random.default_rng((trainee.schedule.seed, trainee.steps)), side, count)


def _entry(trainee: Trainee, losses: Any, seconds: float) -> dict[str, Any]:
    face, boxes, landmarks = (round(float(value), 5) for value in losses)
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "step": trainee.steps,
        "rate_factor": round(trainee.schedule.factor(trainee.steps), 5),
        "face": face,
        "boxes": boxes,
        "landmarks": landmarks,
        "seconds": round(seconds, 2),
    }


def _note(output: Path, entry: dict[str, Any]) -> None:
    with (output / LOG).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")


@contextmanager
def _progress(trainee: Trainee) -> Iterator[Callable[[int, float], None]]:
    columns = (
        TextColumn("quantization-aware training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("loss {task.fields[loss]:.3f}"),
    )
    with Progress(*columns, refresh_per_second=0.5) as progress:
        task = progress.add_task("", total=trainee.schedule.steps, completed=trainee.steps, loss=float("nan"))
        yield lambda steps, loss: progress.update(task, completed=steps, loss=loss)
