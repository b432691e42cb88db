"""A network in quantization-aware training: its weights, the scales of each size, the optimizer, the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from model.checkpoint import read_saved, write_saved
from model.foundation.command_line.progress import progress_console
from model.foundation.damage import damage_is_said
from model.foundation.errors import InputError
from model.foundation.journal import Journal
from model.foundation.records import from_json, to_json
from model.layers.blocks import Outputs
from quantize.qat.mirror.mirror import Mirror
from quantize.qat.plan import Schedule

STATE, LOG = "state.pt", "log.jsonl"
UNIT_SIDE = 320
"""Side in pixels of the pictures that a schedule counts; a batch of larger ones has fewer."""
LOOKS = 2
"""How often the held-aside photographs are looked at on the way, evenly spread."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """Pictures, and what answers to them cost.

    Attributes:
        pixels: uint8 RGB [B, S, S, 3].
        cost: Boxes [B, N, 4], logits of scores [B, N, C] and landmarks [B, N, 2 P], on any device -> three
            scalars: of faces, of boxes, of landmarks.
    """

    pixels: Tensor
    cost: Callable[[Outputs], Sequence[Tensor]]


Lessons = Callable[[np.random.Generator, int, int], Lesson]
"""Draws a lesson: random numbers, on which alone it depends, side of the pictures in pixels, how many."""

Look = Callable[[], dict[str, float]]
"""Measures something for the log."""


class DivergedError(Exception):
    """The loss or the gradient is no number any more; the last state still is."""


class Trainee:
    """Trains the mirrors of all input sizes together.

    Attributes:
        mirrors: Side of the input in pixels -> mirror; all have the same weights.
        steps: Batches seen.
    """

    def __init__(self, mirrors: Mapping[int, Mirror], schedule: Schedule, device: str = "cpu") -> None:
        self.mirrors, self.schedule, self.device = dict(mirrors), schedule, torch.device(device)
        self.steps = 0
        self.weights = next(iter(self.mirrors.values())).weights.to(self.device)
        for mirror in self.mirrors.values():
            mirror.to(self.device)
        trained = [weight for weight in self.weights.parameters() if weight.requires_grad]
        scales = [mirror.scales.logarithm for mirror in self.mirrors.values()]
        self.optimizer = torch.optim.Adam(
            [
                {"params": trained, "lr": 0.0, "full_rate": schedule.rate},
                {"params": scales, "lr": 0.0, "full_rate": schedule.scale_rate},
            ],
            foreach=True,
        )

    @property
    def sides(self) -> list[int]:
        """Input sizes, ascending."""
        return sorted(self.mirrors)

    def next_lesson(self, lessons: Lessons) -> Lesson:
        """The lesson of the next step; sizes take turns and have equally many pixels."""
        side = self.sides[self.steps % len(self.sides)]
        count = max(1, round(self.schedule.pictures * UNIT_SIDE * UNIT_SIDE / (side * side)))
        return lessons(np.random.default_rng((self.schedule.seed, self.steps)), side, count)

    def step(self, lesson: Lesson) -> list[float]:
        """Learn one lesson; its pictures are of one of the sizes.

        Returns:
            Its losses before the step, without their weights: of faces, of boxes, of landmarks.

        Raises:
            DivergedError: the loss or the gradient is not finite; nothing was changed.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * self.schedule.factor(self.steps)
        learn = self.schedule.scales_learn(self.steps)
        for mirror in self.mirrors.values():
            mirror.scales.logarithm.requires_grad_(learn)
        pixels = lesson.pixels.to(self.device, non_blocking=True)
        losses = lesson.cost(self.mirrors[pixels.shape[1]](pixels))
        face, boxes, landmarks = (w * one for w, one in zip(self.schedule.loss_weights, losses, strict=True))
        total = face + boxes + landmarks
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.schedule.clip, foreach=True)
        if not (torch.isfinite(total) and torch.isfinite(norm)):
            raise DivergedError(
                f"step {self.steps}: loss {float(total.detach()):g}, norm of the gradient {float(norm):g}"
            )
        self.optimizer.step()
        self.steps += 1
        return [float(one.detach()) for one in losses]

    def save(self, path: Path) -> None:
        """Write what a resumed training needs, whole or not at all."""
        state: dict[str, Any] = {
            "schedule": to_json(self.schedule),
            "steps": self.steps,
            "weights": self.weights.state_dict(),
            "scales": {side: mirror.scales.state_dict() for side, mirror in self.mirrors.items()},
            "optimizer": self.optimizer.state_dict(),
        }
        write_saved(path, state)

    def restore(self, path: Path) -> None:
        """Go on where `save` stopped.

        Raises:
            InputError: absent, damaged, or of another network, other sizes or another schedule.
        """
        state = read_saved(path, self.device)
        what = f"{path} is no state of this training: delete it, or choose another folder"
        with damage_is_said(what):
            schedule = from_json(Schedule, state["schedule"], str(path))
            if schedule != self.schedule or sorted(state["scales"]) != self.sides:
                raise InputError(
                    f"{path} is of another schedule or other sizes: delete it, or choose another folder"
                )
            self.weights.load_state_dict(state["weights"])
            for side, scales in state["scales"].items():
                self.mirrors[side].scales.load_state_dict(scales)
            self.optimizer.load_state_dict(state["optimizer"])
            self.steps = int(state["steps"])


@dataclass(frozen=True)
class Epoch:
    """What the log says of an epoch.

    Attributes:
        step: Batches seen at its end; 0 before the first.
        time: Of its end, in UTC.
        rate_factor: What the rates are multiplied with by then.
        face, boxes, landmarks: Mean losses of its steps.
        seconds: That it took, without the look.
        look: What was measured then, if anything.
    """

    step: int
    time: str
    rate_factor: float
    face: float | None = None
    boxes: float | None = None
    landmarks: float | None = None
    seconds: float = 0.0
    look: dict[str, float] = field(default_factory=dict)


def train(trainee: Trainee, lessons: Lessons, output: Path, look: Look | None = None) -> None:
    """Train until the schedule's steps are done; the lesson of a step depends on seed and step alone.

    After each epoch `state.pt` is replaced in `output` and the epoch is added to the journal `log.jsonl`.

    Args:
        trainee: Fresh, or resumed.
        lessons: What it learns from.
        output: Folder of the run.
        look: Taken before the first step, and LOOKS times on the way.

    Raises:
        InputError: the training diverged; the state of the last whole epoch is kept.
    """
    output.mkdir(parents=True, exist_ok=True)
    log, schedule = Journal(output / LOG, Epoch), trainee.schedule
    due = {round(schedule.steps * (number + 1) / LOOKS) for number in range(LOOKS)}
    if look is not None and trainee.steps == 0:
        log.add("0", replace(_epoch(trainee), look=look()))
    with _progress(trainee) as advance:
        while trainee.steps < schedule.steps:
            begun, first = time.monotonic(), trainee.steps
            losses = []
            try:
                while trainee.steps < min(schedule.steps, first + schedule.epoch_steps):
                    losses.append(trainee.step(trainee.next_lesson(lessons)))
                    advance(trainee.steps, losses[-1][0])
            except DivergedError as error:
                raise InputError(
                    f"the training diverged at {error}; {output / STATE} keeps the last whole epoch: "
                    "lower the rates and start in another folder"
                ) from None
            trainee.save(output / STATE)
            face, boxes, landmarks = (round(float(value), 5) for value in np.mean(losses, axis=0))
            seconds = round(time.monotonic() - begun, 2)
            epoch = replace(_epoch(trainee), face=face, boxes=boxes, landmarks=landmarks, seconds=seconds)
            log.add(str(epoch.step), epoch)
            if look is not None and any(first < step <= trainee.steps for step in due):
                log.add(str(epoch.step), replace(epoch, look=look()))


def _epoch(trainee: Trainee) -> Epoch:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Epoch(trainee.steps, now, round(trainee.schedule.factor(trainee.steps), 5))


@contextmanager
def _progress(trainee: Trainee) -> Iterator[Callable[[int, float], None]]:
    columns = (
        TextColumn("quantization-aware training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("loss {task.fields[loss]:.3f}"),
    )
    with Progress(*columns, console=progress_console(), refresh_per_second=0.5) as progress:
        task = progress.add_task("", total=trainee.schedule.steps, completed=trainee.steps, loss=float("nan"))
        yield lambda steps, loss: progress.update(task, completed=steps, loss=loss)
