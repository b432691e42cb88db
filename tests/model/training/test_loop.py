import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import load_checkpoint, write_saved
from model.evaluation.protocol import detect_image
from model.foundation.errors import InputError
from model.geometry.boxes import iou_matrix
from model.networks import spec_of
from model.runtime.running import TorchModel
from model.training import loop
from model.training import student as student_module
from model.training.batches import Batches
from model.training.loop import LOG, STATE, WEIGHTS, train
from model.training.plots import plot_run, read_log
from model.training.student import Student, network_inputs
from tests.model.training.conftest import SMALL

RECIPE = replace(SMALL, pictures=1, samples=12, learn_statistics=0.5)


@pytest.fixture(autouse=True)
def few_chapters(monkeypatch):
    monkeypatch.setattr(loop, "CHAPTERS", 3)


@pytest.fixture
def source(drawn_album):
    return Batches(drawn_album, np.arange(len(drawn_album)), RECIPE)


def same(first, second):
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(tmp_path, source, monkeypatch):
    whole = Student(RECIPE)
    train(whole, source, tmp_path / "whole")

    class KilledError(Exception):
        pass

    step = Student.step

    def dies(self, batch):
        if self.steps >= 9:  # in the third chapter of four steps
            raise KilledError
        return step(self, batch)

    monkeypatch.setattr(Student, "step", dies)
    with pytest.raises(KilledError):
        train(Student(RECIPE), source, tmp_path / "parts")
    monkeypatch.undo()
    monkeypatch.setattr(loop, "CHAPTERS", 3)
    resumed = Student(RECIPE)
    resumed.restore(tmp_path / "parts" / STATE)
    assert resumed.samples == 8, "a kill costs at most a chapter"
    train(resumed, source, tmp_path / "parts")
    assert resumed.steps == whole.steps == 12
    same(whole.network.state_dict(), resumed.network.state_dict())
    same(whole.average.state_dict(), resumed.average.state_dict())
    first, second = (read_log(tmp_path / name) for name in ("whole", "parts"))
    assert [entry["samples"] for entry in second] == [4, 8, 12]
    assert [entry["face"] for entry in first] == [entry["face"] for entry in second]
    train(resumed, source, tmp_path / "parts")  # nothing is left to do


def test_training_lowers_the_loss_and_ships_loadable_weights(tmp_path, source):
    student = Student(replace(RECIPE, samples=30, hold=1.0))
    train(student, source, tmp_path, look=lambda s: {"seen": s.samples}, looks=2)
    entries = read_log(tmp_path)
    boxes = [entry["boxes"] for entry in entries if "boxes" in entry]
    assert boxes[-1] < boxes[0]
    assert [entry["seen"] for entry in entries if "seen" in entry] == [20, 30]
    loaded = load_checkpoint(tmp_path / WEIGHTS, "featherface_v2").network
    same(loaded.state_dict(), student.average.state_dict())
    assert plot_run(tmp_path).stat().st_size > 1000
    other = Student(RECIPE)
    other.start_from(tmp_path / WEIGHTS)
    same(other.network.state_dict(), student.average.state_dict())


@pytest.mark.slow
def test_any_network_learns_boxes_at_its_own_anchors(drawn_album, tmp_path):
    """A short training of RetinaFace (anchors of 10 to 256 px) from marks alone: what it finds fits."""
    recipe = replace(
        SMALL,
        network="retinaface",
        pictures=1,
        samples=160,
        sides=(96,),
        hold=0.3,
        average=0.9,
        learn_statistics=0.7,
    )
    source = Batches(drawn_album, np.arange(30), recipe)
    student = Student(recipe)
    train(student, source, tmp_path)
    unseen = range(30, 40)
    model = TorchModel(student.average, spec_of("retinaface", 96, 96))
    best = []
    for index in unseen:
        marked = drawn_album.faces[index].boxes_xyxy
        likely = detect_image(model, drawn_album.copies[index][0]).above(0.2).boxes_xyxy
        best += iou_matrix(marked, likely).max(axis=1, initial=0).tolist()
    assert np.mean(np.array(best) > 0.6) > 0.8


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_chapter(tmp_path, source, monkeypatch):
    monkeypatch.setattr(student_module, "CHECKED", 1)
    step = Student.step

    def poisoned(self, batch):
        if self.steps == 6:
            self.network.heads.scores.bias.data.fill_(float("nan"))
        return step(self, batch)

    monkeypatch.setattr(Student, "step", poisoned)
    with pytest.raises(InputError, match=r"step 6.*keeps the last whole chapter"):
        train(Student(RECIPE), source, tmp_path)
    student = Student(RECIPE)
    student.restore(tmp_path / STATE)
    assert student.samples == 4
    assert all(torch.isfinite(v).all() for v in student.network.state_dict().values())


def test_a_write_that_fails_leaves_the_state_before(tmp_path, monkeypatch):
    student = Student(RECIPE)
    student.save(tmp_path / STATE)
    before = (tmp_path / STATE).read_bytes()

    def half(path, content):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space"):
        student.save(tmp_path / STATE)
    assert (tmp_path / STATE).read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / STATE]


def test_states_that_cannot_be_resumed(tmp_path):
    student = Student(RECIPE)
    with pytest.raises(InputError, match="no such checkpoint file"):
        student.restore(tmp_path / STATE)
    (tmp_path / STATE).write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="is not a PyTorch checkpoint"):
        student.restore(tmp_path / STATE)
    write_saved(tmp_path / STATE, {"steps": 1})
    with pytest.raises(InputError, match="no training state of this version"):
        student.restore(tmp_path / STATE)
    student.save(tmp_path / STATE)
    content = bytearray((tmp_path / STATE).read_bytes())
    content[content.index(student.network.heads.boxes.weight.detach().numpy().tobytes())] ^= 1
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        student.restore(tmp_path / STATE)
    Student(replace(RECIPE, seed=7)).save(tmp_path / STATE)
    with pytest.raises(InputError, match="seed 7"):
        student.restore(tmp_path / STATE)


def test_the_statistics_freeze_after_their_phase(source):
    student = Student(replace(RECIPE, learn_statistics=2 / 12))
    statistics = []
    for step in range(4):
        student.step(source.batch(step))
        statistics.append(student.network.backbone.stem.bn.running_mean.clone())
    assert not torch.equal(statistics[0], statistics[1])
    assert torch.equal(statistics[1], statistics[2]) and torch.equal(statistics[2], statistics[3])


@pytest.mark.parametrize("network", ["featherface_v1", "retinaface"])
def test_other_networks_take_a_step(network, source):
    """V1 and RetinaFace take BGR minus a mean and have two class logits."""
    student = Student(replace(RECIPE, network=network))
    before = {name: value.clone() for name, value in student.network.state_dict().items()}
    batch = source.drawn(np.random.default_rng(0), 64, 2)
    assert np.isfinite(float(student.step(batch).face.detach()))
    assert any(not torch.equal(value, before[name]) for name, value in student.network.state_dict().items())
    spec = spec_of(network, 64, 64)
    assert network_inputs(batch.pixels, spec)[0, 0, 0, 0] == batch.pixels[0, 0, 0, 2] - spec.mean[0]


def test_a_log_that_a_crash_cut_is_still_read(tmp_path):
    with pytest.raises(InputError, match="no log"):
        read_log(tmp_path)
    (tmp_path / LOG).write_text(json.dumps({"samples": 1}) + '\n{"samp')
    assert read_log(tmp_path) == [{"samples": 1}]
