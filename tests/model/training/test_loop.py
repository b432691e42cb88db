import json
from dataclasses import replace

import pytest
import torch
from small_batches import SmallBatches

from model.checkpoint import load_checkpoint
from model.foundation.errors import InputError
from model.training import student as student_module
from model.training.loop import LOG, STATE, WEIGHTS, train
from model.training.plots import plot_run, read_log
from model.training.recipe import Recipe
from model.training.student import Student

RECIPE = Recipe(
    samples=24, epoch_samples=8, pictures=2, statistics_samples=6, warm_up_samples=4, offsets_full=8, hold=0.5
)


def same(first, second):
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(tmp_path):
    whole = Student(RECIPE)
    train(whole, SmallBatches(), tmp_path / "whole")

    class KilledError(Exception):
        pass

    class Dies(SmallBatches):
        def batch(self, step):
            if step >= 9:  # in the third epoch of four steps
                raise KilledError
            return super().batch(step)

    with pytest.raises(KilledError):
        train(Student(RECIPE), Dies(), tmp_path / "parts")
    resumed = Student(RECIPE)
    resumed.restore(tmp_path / "parts" / STATE)
    assert resumed.samples == 16, "a kill costs at most an epoch"
    train(resumed, SmallBatches(), tmp_path / "parts")
    assert (resumed.samples, resumed.steps) == (whole.samples, whole.steps) == (24, 12)
    same(whole.network.state_dict(), resumed.network.state_dict())
    same(whole.average.state_dict(), resumed.average.state_dict())
    first, second = (read_log(tmp_path / name) for name in ("whole", "parts"))
    assert [entry["samples"] for entry in second] == [8, 16, 24]
    assert [entry["face"] for entry in first] == [entry["face"] for entry in second]
    assert {entry["rate_factor"] for entry in first} == {1.0, 0.7525, 0.01}


def test_training_lowers_the_loss_and_ships_loadable_weights(tmp_path):
    recipe = replace(RECIPE, samples=160, epoch_samples=16, hold=1.0)

    class OneBatch(SmallBatches):
        def batch(self, step):
            return super().batch(step * 0)

    student = Student(recipe)
    train(student, OneBatch(), tmp_path, look=lambda s: {"seen": s.samples}, look_every=5)
    entries = read_log(tmp_path)
    faces = [entry["face"] for entry in entries if "face" in entry]
    assert faces[-1] < 0.6 * faces[0]
    assert [entry["seen"] for entry in entries if "seen" in entry] == [80, 160]
    assert [entry["samples"] for entry in entries if "face" in entry] == list(range(16, 161, 16))
    loaded = load_checkpoint(tmp_path / WEIGHTS, "featherface_v2").network
    same(loaded.state_dict(), student.average.state_dict())
    assert plot_run(tmp_path).stat().st_size > 1000


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_epoch(tmp_path):
    with pytest.raises(InputError, match=r"step 6.*keeps the last whole epoch"):
        train(Student(RECIPE), SmallBatches(broken_from=6), tmp_path)
    student = Student(RECIPE)
    student.restore(tmp_path / STATE)
    assert student.samples == 8
    assert all(torch.isfinite(v).all() for v in student.network.state_dict().values())


def test_a_write_that_fails_leaves_the_state_before(tmp_path, monkeypatch):
    student = Student(RECIPE)
    student.save(tmp_path / STATE)
    before = (tmp_path / STATE).read_bytes()

    def half(value, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(student_module.torch, "save", half)
    with pytest.raises(OSError, match="No space"):
        student.save(tmp_path / STATE)
    assert (tmp_path / STATE).read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / STATE]


def test_states_that_cannot_be_resumed(tmp_path):
    student = Student(RECIPE)
    with pytest.raises(InputError, match="no such training state"):
        student.restore(tmp_path / STATE)
    (tmp_path / STATE).write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="no training state"):
        student.restore(tmp_path / STATE)
    Student(replace(RECIPE, seed=7)).save(tmp_path / STATE)
    with pytest.raises(InputError, match="with seed 7"):
        student.restore(tmp_path / STATE)


def test_the_statistics_freeze_after_their_phase():
    student = Student(replace(RECIPE, statistics_samples=4))
    statistics = []
    for step in range(4):
        student.step(SmallBatches().batch(step))
        statistics.append(student.network.backbone.stem.bn.running_mean.clone())
    assert not torch.equal(statistics[0], statistics[1])
    assert torch.equal(statistics[1], statistics[2]) and torch.equal(statistics[2], statistics[3])


def test_held_blocks_stay():
    student = Student(replace(RECIPE, held_blocks=3, statistics_samples=0, weight_decay=0.5))
    before = {name: value.clone() for name, value in student.network.state_dict().items()}
    student.step(SmallBatches().batch(0))
    after = student.network.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    held = ("backbone.stem.", "backbone.stage1.0.", "backbone.stage1.1.")
    assert not any(name.startswith(held) for name in changed)
    assert "backbone.stage1.2.pointwise.conv.weight" in changed


def test_features_are_distilled_through_adapters(tmp_path):
    recipe = replace(RECIPE, features_until=100, feature_weight=5.0)
    with pytest.raises(InputError, match="teacher at hand"):
        Student(recipe)
    student = Student(recipe, teacher_width=8)
    draw = torch.Generator().manual_seed(0)
    levels = tuple(torch.randn(2, 8, side, side, generator=draw) for side in (8, 4, 2))
    batch = replace(SmallBatches().batch(0), features=levels)
    before = [adapter.weight.detach().clone() for adapter in student.adapters]
    student.step(batch)
    assert all(not torch.equal(a, b.weight) for a, b in zip(before, student.adapters, strict=True))
    student.save(tmp_path / STATE)
    again = Student(recipe, teacher_width=8)
    again.restore(tmp_path / STATE)
    same(student.adapters.state_dict(), again.adapters.state_dict())
    student.save_weights(tmp_path / WEIGHTS)
    load_checkpoint(tmp_path / WEIGHTS, "featherface_v2")


@pytest.mark.parametrize("network", ["featherface_v1", "retinaface"])
def test_other_networks_train_too(network):
    """Labels alone; V1 and RetinaFace take BGR minus a mean and have two class logits."""
    student = Student(replace(RECIPE, network=network, loss="multibox"))
    losses = [float(student.step(SmallBatches().batch(0)).face.detach()) for _ in range(6)]
    assert losses[-1] < losses[0]


def test_a_log_that_a_crash_cut_is_still_read(tmp_path):
    with pytest.raises(InputError, match="no log"):
        read_log(tmp_path)
    (tmp_path / LOG).write_text(json.dumps({"samples": 1}) + '\n{"samp')
    assert read_log(tmp_path) == [{"samples": 1}]
