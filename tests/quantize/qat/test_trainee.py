"""Training, going on, and stopping."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from model.foundation.errors import InputError
from model.foundation.journal import Journal
from quantize.qat.plan import Schedule
from quantize.qat.trainee import LOG, STATE, Epoch, Lesson, Trainee, train
from tests.conftest import Converted
from tests.quantize.qat.conftest import FixedLessons, Integers

HEIGHT = 96


def _trainee(integers: Integers, **changes: float) -> Trainee:
    schedule = Schedule(**{"steps": 4, "epoch_steps": 2, "warm_up": 1, **changes})  # type: ignore[arg-type]
    return Trainee({HEIGHT: integers.mirror()}, schedule)


def test_the_loss_falls(integers: Integers, converted: Converted) -> None:
    trainee = _trainee(integers, steps=20, rate=2e-3)
    lesson = FixedLessons(converted)(np.random.default_rng(0), HEIGHT, 2)
    costs = [np.dot(trainee.schedule.loss_weights, trainee.step(lesson)) for _ in range(13)]
    assert costs[-1] < 0.9 * costs[0]


def test_ranges_learn_and_then_freeze(integers: Integers, converted: Converted) -> None:
    trainee = _trainee(integers, freeze=0.5)
    mirror, lessons = trainee.mirrors[HEIGHT], FixedLessons(converted)
    start = mirror.scales.bounds()
    for number in range(4):
        trainee.step(lessons(np.random.default_rng(number), HEIGHT, 2))
        if number == 1:
            half_way = mirror.scales.bounds()
    assert start == integers.bounds
    assert sum(start[name] != half_way[name] for name in start) > 70
    assert mirror.scales.bounds() == half_way
    assert half_way["image"] == (0, 255)


def test_a_resumed_training_ends_where_an_unbroken_one_does(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    unbroken = _trainee(integers)
    train(unbroken, FixedLessons(converted), tmp_path / "unbroken")
    killed = _trainee(integers)
    with pytest.raises(KeyboardInterrupt):
        train(killed, _Killed(converted), tmp_path / "killed")
    resumed = _trainee(integers)
    resumed.restore(tmp_path / "killed" / STATE)
    assert resumed.steps == 2
    train(resumed, FixedLessons(converted), tmp_path / "killed")
    for name, value in unbroken.weights.arrays().items():
        np.testing.assert_array_equal(resumed.weights.arrays()[name], value)
    assert resumed.mirrors[HEIGHT].scales.bounds() == unbroken.mirrors[HEIGHT].scales.bounds()
    log = Journal(tmp_path / "killed" / LOG, Epoch)
    assert [epoch.step for epoch in log.values()] == [2, 4]


class _Killed(FixedLessons):
    """Ends the training in the middle of its second epoch."""

    def __call__(self, draw, side, count):  # type: ignore[no-untyped-def]
        if self.asked == 3:
            raise KeyboardInterrupt
        return super().__call__(draw, side, count)


def test_what_is_looked_at_stands_in_the_log(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    train(_trainee(integers), FixedLessons(converted), tmp_path, lambda: {"aside_demo_96": 0.5})
    log = Journal(tmp_path / LOG, Epoch)
    assert {key: bool(epoch.look) for key, epoch in log.items()} == {"0": True, "2": True, "4": True}
    assert log["0"].face is None
    assert log["4"].face is not None


def test_sizes_take_turns_with_equally_many_pixels() -> None:
    asked = []

    def lessons(_: np.random.Generator, side: int, count: int) -> Lesson:
        asked.append((side, count))
        return Lesson(torch.zeros(0), lambda _: ())

    trainee = SimpleNamespace(sides=[160, 320], schedule=Schedule(pictures=2), steps=0)
    for trainee.steps in range(3):
        Trainee.next_lesson(trainee, lessons)  # type: ignore[arg-type]
    assert asked == [(160, 8), (320, 2), (160, 8)]


def test_a_state_of_another_schedule_is_refused(integers: Integers, tmp_path: Path) -> None:
    trainee = _trainee(integers)
    trainee.save(tmp_path / STATE)
    with pytest.raises(InputError, match="another schedule"):
        _trainee(integers, steps=5).restore(tmp_path / STATE)
    (tmp_path / STATE).write_bytes(b"no state")
    with pytest.raises(InputError, match="is not a PyTorch checkpoint"):
        trainee.restore(tmp_path / STATE)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_epoch(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    trainee = _trainee(integers)
    with pytest.raises(InputError, match=r"diverged at step 3: loss nan"):
        train(trainee, FixedLessons(converted, poison=3), tmp_path)
    resumed = _trainee(integers)
    resumed.restore(tmp_path / STATE)
    assert resumed.steps == 2
    assert all(np.isfinite(value).all() for value in resumed.weights.arrays().values())
