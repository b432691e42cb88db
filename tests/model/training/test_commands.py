"""The command line end to end on drawn photographs, and what it says about unusable input."""

import json

import pytest
import torch

from model.__main__ import main
from model.checkpoint import load_checkpoint
from model.networks.featherface_v2 import FeatherFaceV2
from model.networks.retinaface import RetinaFace
from model.training import batches, commands, teaching
from model.training.loop import LOG, STATE, WEIGHTS
from model.training.plots import PLOT

TINY = ["--samples", "4", "--epoch-samples", "2", "--pictures", "1", "--threads", "1"]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Only the smallest input, few views, and an untrained teacher and donor."""
    monkeypatch.setattr(teaching, "SHARD", 2)
    monkeypatch.setattr(commands, "LOOK_SIZES", (64, 96))
    monkeypatch.setattr(batches, "SIDES", (256,))
    monkeypatch.setattr(batches, "SIDE_SHARES", (1.0,))
    torch.manual_seed(0)
    torch.save(FeatherFaceV2().state_dict(), tmp_path / "teacher.pth")
    torch.save(RetinaFace().state_dict(), tmp_path / "donor.pth")
    return tmp_path


def test_teach_then_train_then_resume(small, labelled_folder, capsys):
    views, run = small / "views", small / "run"
    data = ["--data", str(labelled_folder)]
    teacher = ["--teacher", str(small / "teacher.pth"), "--teacher-network", "featherface_v2"]
    assert main(["teach", *data, *teacher, "--output", str(views), "--views", "2"]) == 0
    start = ["--start", str(small / "donor.pth")]
    command = [
        "train",
        *data,
        "--views",
        str(views),
        *start,
        "--output",
        str(run),
        *TINY,
        "--look-every",
        "2",
    ]
    assert main([*command, "--report", str(labelled_folder)]) == 0
    entries = [json.loads(line) for line in (run / LOG).read_text().splitlines()]
    assert [entry["samples"] for entry in entries] == [2, 4, 4]
    assert {"drawn_train_64", "drawn_train_96", "aside_drawn_train_64"} <= set(entries[2])
    assert (run / PLOT).is_file() and (run / STATE).is_file()
    load_checkpoint(run / WEIGHTS, "featherface_v2")
    command[command.index("--samples") + 1] = "6"
    assert main(command) == 0
    assert "goes on after 4 samples" in capsys.readouterr().out
    assert json.loads((run / "recipe.json").read_text())["samples"] == 6


def test_train_from_labels_alone_and_with_the_teacher_at_hand(small, labelled_folder):
    data = ["--data", str(labelled_folder)]
    assert main(["train", *data, "--output", str(small / "labels"), "--loss", "multibox", *TINY]) == 0
    teacher = ["--teacher", str(small / "teacher.pth"), "--teacher-network", "featherface_v2"]
    features = ["--features-until", "100"]
    assert main(["train", *data, *teacher, *features, "--output", str(small / "features"), *TINY]) == 0
    assert torch.load(small / "features" / STATE, weights_only=True)["adapters"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--output", "run"], "name the folders"),
        (["train", "--data", "nowhere", "--output", "run"], "no such folder of photographs: nowhere"),
        (["train", "--data", "{data}", "--views", "nowhere", "--output", "run"], "nowhere"),
        (["train", "--data", "{data}", "--output", "run", "--start", "nowhere.pth"], "nowhere.pth"),
        (["train", "--data", "{data}", "--output", "run", "--rate", "nan"], "rate must be positive"),
        (["train", "--data", "{data}", "--output", "run", "--samples", "0"], "samples must be at least 1"),
        (["train", "--data", "{data}", "--output", "run", "--threads", "0"], "--threads must be at least 1"),
        (["teach", "--data", "{data}", "--output", "views", "--teacher", "nowhere.pth"], "nowhere.pth"),
    ],
)
def test_unusable_input_is_named_before_the_first_step(
    arguments, says, labelled_folder, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(data=labelled_folder) for argument in arguments]
    assert main(filled) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not (tmp_path / "run" / LOG).exists()


def test_half_of_the_images_missing_is_named(labelled_folder, capsys, tmp_path):
    for index in range(20):
        (labelled_folder / "images" / f"{index}.png").unlink()
    assert main(["train", "--data", str(labelled_folder), "--output", str(tmp_path / "run")]) == 2
    assert "20 of" in capsys.readouterr().err
