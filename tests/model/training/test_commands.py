"""The command line end to end on drawn photographs, and what it says about unusable input."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.__main__ import main
from model.checkpoint import load_checkpoint
from model.training import commands, loop
from model.training.loop import LOG, STATE, WEIGHTS
from model.training.plots import PLOT
from model.training.teacher import answers

TINY = ["--samples", "4", "--pictures", "1", "--sides", "64", "--side-shares", "1", "--threads", "1"]
TINY += ["--looks", "1"]


@pytest.fixture
def small(monkeypatch, tmp_path: Path) -> Path:
    """Only small inputs, and a folder of photographs without labels."""
    monkeypatch.setattr(commands, "LOOK_SIZES", (64, 96))
    monkeypatch.setattr(answers, "SIDES", (64, 96))
    monkeypatch.setattr(loop, "CHAPTERS", 2)
    (tmp_path / "bare").mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (700, 80, 3)).astype(np.uint8)
    for index in range(3):
        cv2.imwrite(str(tmp_path / "bare" / f"{index}.png"), picture)
    return tmp_path


def test_teach_then_train_then_resume(small, labelled_folder, small_teacher, capsys):
    run, kept = small / "run", small / "answers.npz"
    data = ["--data", str(labelled_folder), str(labelled_folder), str(small / "bare")]
    teacher = ["--teacher", str(small_teacher)]
    assert main(["teach", *data, *teacher, "--output", str(kept), "--threads", "1"]) == 0
    assert len(answers.load_answers(kept)) == 43
    command = ["train", *data, *teacher, "--answers", str(kept), "--output", str(run), *TINY]
    assert main([*command, "--report", str(labelled_folder)]) == 0
    entries = [json.loads(line) for line in (run / LOG).read_text().splitlines()]
    assert [entry["samples"] for entry in entries] == [2, 4, 4]
    assert {"drawn_train_64", "drawn_train_96", "aside_drawn_train_64"} <= set(entries[2])
    assert (run / PLOT).is_file() and (run / STATE).is_file()
    load_checkpoint(run / WEIGHTS, "featherface_v2")
    assert main(command) == 0
    assert "goes on after 4 samples" in capsys.readouterr().out
    again = [*command[:-1], "0", "--start", str(run / WEIGHTS)]
    again[again.index(str(run))] = str(small / "again")
    assert main(again) == 0


def test_train_another_network_from_marks_alone(small, labelled_folder):
    command = [
        "train",
        "--data",
        str(labelled_folder),
        "--network",
        "retinaface",
        "--output",
        str(small / "run"),
    ]
    assert main([*command, *TINY]) == 0
    load_checkpoint(small / "run" / WEIGHTS, "retinaface")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--output", "run"], "name the folders"),
        (["train", "--data", "nowhere", "--output", "run"], "no such folder of photographs: nowhere"),
        (["train", "--data", "{data}", "--answers", "nowhere", "--output", "run"], "nowhere"),
        (["train", "--data", "{data}", "--output", "run", "--start", "nowhere.pth"], "nowhere.pth"),
        (["train", "--data", "{data}", "--output", "run", "--teacher", "nowhere.onnx"], "nowhere.onnx"),
        (["train", "--data", "{data}", "--output", "run", "--rate", "nan"], "rate must be positive"),
        (["train", "--data", "{data}", "--output", "run", "--samples", "0"], "samples must be at least 1"),
        (["train", "--data", "{data}", "--output", "run", "--sides", "50"], "multiples of 32"),
        (["train", "--data", "{data}", "--output", "run", "--sides", "64"], "side_shares"),
        (["train", "--data", "{data}", "--output", "run", "--threads", "0"], "--threads must be at least 1"),
        (["teach", "--data", "{data}", "--output", "kept", "--teacher", "nowhere.onnx"], "nowhere.onnx"),
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
