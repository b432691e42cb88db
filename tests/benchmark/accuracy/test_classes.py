"""Several classes from a file's outputs to every table: evaluate, drift, detect."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.front_door import main
from tests.constant_onnx import constant_network

SPEC = {
    "network": "pets", "input_height": 64, "input_width": 64, "decoder": "boxes:corners", "rows": 3,
    "points": 0, "score_channels": 3, "classes": ["cat", "", "dog"],
    "boxes_from": ["rows[0:4]"], "scores_from": ["rows[4:7]"],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cat that is found, one whose dog's box is a cat's, and two files: the second finds no dog."""
    rows = np.float32(
        [[4, 4, 24, 24, 0.9, 0, 0], [30, 30, 60, 60, 0.8, 0.95, 0.1], [4, 40, 20, 60, 0, 0, 0.7]]
    )
    constant_network(tmp_path / "first.onnx", {"rows": rows[None]})
    constant_network(tmp_path / "second.onnx", {"rows": rows[None] * np.float32([1, 1, 1, 1, 1, 1, 0.01])})
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 64)).save(tmp_path / "images" / name)
    labels = "# a.png\n4 4 20 20 cat\n4 40 16 20 dog\n# b.png\n4 4 20 20 cat\n30 30 30 30 dog\n9 9 9 9 bird\n"
    (tmp_path / "label.txt").write_text(labels)
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    monkeypatch.chdir(tmp_path)
    return tmp_path


SET = [
    "--images",
    "images",
    "--labels",
    "label.txt",
    "--spec",
    "spec.json",
    "--no-resume",
    "--processes",
    "1",
]


def test_evaluate_gives_each_class_and_the_mean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "first.onnx", *SET, "--json", "found.json", "--quiet"]) == 0
    (one,) = json.loads((folder / "found.json").read_text())["evaluations"]
    assert (one["images"], one["faces"]) == (2, 4), "nobody looks for the bird"
    cat, dog = one["classes"]["cat"], one["classes"]["dog"]
    assert (cat["faces"], cat["metrics"]["ap50"], cat["metrics"]["precision"]) == (2, 1.0, 0.5)
    assert (dog["faces"], dog["metrics"]["ap50"], dog["metrics"]["recall"]) == (2, 0.25, 0.5)
    assert one["metrics"]["ap50"] == 0.625
    assert "dog" in capsys.readouterr().out


def test_drift_has_a_row_a_class_and_loses_the_dogs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["drift", "first.onnx", "second.onnx", *SET, "--resamples", "20", "--quiet"]
    assert main([*arguments, "--output", "drift"]) == 0
    one = json.loads((folder / "drift" / "drift.json").read_text())
    rows = {row["what"]: row for row in one["rows"]}
    assert (rows["AP50, cat"]["difference"], rows["AP50, dog"]["candidate"]) == (0, 0)
    assert (one["lost"], one["gained"], one["lost_true"]) == (2, 0, 1)
    assert (folder / "drift" / "worst_01.jpg").is_file()


def test_detect_names_what_it_finds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "detect",
        "first.onnx",
        "--spec",
        "spec.json",
        "images/a.png",
        "--json",
        "found.json",
    ]
    assert main([*arguments, "--output", "drawn"]) == 0
    (one,) = json.loads((folder / "found.json").read_text())["pictures"]
    assert [face["kind"] for face in one["faces"]] == ["cat", "cat", "dog"]
    assert "0.700  4 40 20 60  dog" in capsys.readouterr().out
    with Image.open(folder / "drawn" / "a.jpg") as picture:
        assert np.asarray(picture).max() > 100
