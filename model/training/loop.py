"""The loop: steps, checkpoints, the log, the early look, and stopping when a number is no number."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.foundation.errors import InputError
from model.training.batches import Batch, BatchSource, CachedViews
from model.training.student import DivergedError, Student

STATE, WEIGHTS, LOG = "state.pt", "average.pth", "log.jsonl"
AHEAD = 2
"""Batches that wait, beyond those in work."""


@dataclass
class _Epoch:
    """Sums over an epoch."""

    losses: list[tuple[float, float, float]] = field(default_factory=list)
    waited_s: float = 0.0
    begun: float = field(default_factory=time.monotonic)


def train(
    student: Student,
    source: BatchSource,
    output: Path,
    look: Callable[[Student], dict[str, Any]] | None = None,
    look_every: int = 4,
    workers: int = 1,
) -> None:
    """Train until the recipe's samples are seen.

    After each epoch `state.pt` (to resume from) and `average.pth` (weights alone) are replaced in
    `output`, and a line is added to `log.jsonl`, and one more with the samples and what a look measured.

    Args:
        student: Fresh or resumed.
        source: Of the batches.
        output: Folder of the run.
        look: Measures something about the student for the log, every `look_every` epochs and at the end.
        look_every: See `look`.
        workers: Threads that prepare batches while the network works.

    Raises:
        InputError: the training diverged; the state of the last whole epoch is kept.
    """
    output.mkdir(parents=True, exist_ok=True)
    total, epochs = student.recipe.samples, 0
    with _progress(student) as advance:
        while student.samples < total:
            if isinstance(source, CachedViews):
                source.refresh()
            epoch = _Epoch()
            goal = min(total, student.samples + student.recipe.epoch_samples)
            try:
                _run_epoch(student, _Ahead(source, workers, student.steps), goal, epoch, advance)
            except DivergedError as error:
                raise InputError(
                    f"the training diverged at {error}; {output / STATE} keeps the last whole epoch: "
                    "lower the learning rates and resume"
                ) from None
            epochs += 1
            student.save(output / STATE)
            student.save_weights(output / WEIGHTS)
            _note(output, _entry(student, source, epoch))
            if look is not None and (epochs % look_every == 0 or student.samples >= total):
                _note(output, {"samples": student.samples, **look(student)})


def _note(output: Path, entry: dict[str, Any]) -> None:
    """Add a line to the log."""
    with (output / LOG).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")


class _Ahead:
    """Prepares the batches of coming steps in other threads."""

    def __init__(self, source: BatchSource, workers: int, step: int) -> None:
        self.source, self.workers, self.step = source, workers, step
        self.pool = ThreadPoolExecutor(workers)
        self.waiting: deque[Future[Batch]] = deque()

    def next(self) -> Batch:
        """The next step's batch."""
        while len(self.waiting) < self.workers + AHEAD:
            self.waiting.append(self.pool.submit(self.source.batch, self.step))
            self.step += 1
        return self.waiting.popleft().result()

    def close(self) -> None:
        """Forget what was prepared in vain."""
        self.pool.shutdown(cancel_futures=True)


def _run_epoch(
    student: Student, ahead: _Ahead, goal: int, epoch: _Epoch, advance: Callable[[int, float], None]
) -> None:
    try:
        while student.samples < goal:
            asked = time.monotonic()
            batch = ahead.next()
            epoch.waited_s += time.monotonic() - asked
            losses = student.step(batch)
            parts = torch.stack([losses.face, losses.boxes, losses.landmarks]).tolist()
            epoch.losses.append((parts[0], parts[1], parts[2]))
            advance(student.samples, parts[0])
    finally:
        ahead.close()


def _entry(student: Student, source: BatchSource, epoch: _Epoch) -> dict[str, Any]:
    """One line of the log."""
    seconds = time.monotonic() - epoch.begun
    face, boxes, landmarks = np.mean(epoch.losses, axis=0)
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "samples": student.samples,
        "steps": student.steps,
        "rate_factor": round(student.recipe.rate_factor(student.samples), 5),
        "face": round(float(face), 5),
        "boxes": round(float(boxes), 5),
        "landmarks": round(float(landmarks), 5),
        "seconds": round(seconds, 2),
        "steps_per_s": round(len(epoch.losses) / seconds, 3),
        "waited_for_data": round(epoch.waited_s / seconds, 4),
        "views": len(source) if isinstance(source, CachedViews) else None,
    }


@contextmanager
def _progress(student: Student) -> Iterator[Callable[[int, float], None]]:
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("loss {task.fields[loss]:.3f}"),
    )
    with Progress(*columns, refresh_per_second=0.5) as progress:
        task = progress.add_task(
            "", total=student.recipe.samples, completed=student.samples, loss=float("nan")
        )
        yield lambda samples, loss: progress.update(task, completed=samples, loss=loss)
