"""Drift between two models, with labels and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.__main__ import main
from calibration_data.images import load_rgb
from tests.conftest import EMBEDDED, Converted


def test_drift_of_a_model_against_itself_is_nothing(
    converted: Converted, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--reference", str(converted.float32), "--candidate", str(converted.float32)]
    assert main(["drift", *both, *options, "--resamples", "20", "--output", str(tmp_path)]) == 0
    drift = json.loads((tmp_path / "drift.json").read_text())
    assert drift["truth"] == "labels"
    assert (drift["lost"], drift["gained"], drift["moved"], drift["worst"]) == (0, 0, 0, [])
    assert all(row["difference"] in (0, None) for row in drift["rows"])


def test_drift_without_labels_draws_the_worst(
    converted: Converted, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The candidate shows half of what the reference shows: its spec drops detections."""
    import torch

    state = torch.load(EMBEDDED, weights_only=True)
    noise = torch.Generator().manual_seed(0)
    for name, value in state.items():
        if value.is_floating_point() and value.ndim == 4:
            state[name] = value + 0.15 * value.abs().mean() * torch.randn(value.shape, generator=noise)
    torch.save(state, tmp_path / "noisy.pth")
    unlabelled = [one for index, one in enumerate(options) if index not in (2, 3)]
    command = ["drift", "--reference", str(EMBEDDED), "--candidate", str(tmp_path / "noisy.pth"), *unlabelled]
    size = [
        "--network",
        "featherface_v2",
        "--size",
        "192",
        "--resamples",
        "50",
        "--output",
        str(tmp_path / "out"),
    ]
    assert main([*command, *size, "--worst", "2"]) == 0
    assert "the reference's own detections stand in" in capsys.readouterr().out
    drift = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert drift["truth"] == "reference"
    row = drift["rows"][0]
    assert row["reference"] == 1
    assert row["low"] <= row["difference"] <= row["high"]
    assert drift["lost"] + drift["gained"] + drift["moved"] > 0
    pictures = sorted((tmp_path / "out").glob("worst_*.jpg"))
    assert len(pictures) == min(2, len(drift["worst"]))
    assert load_rgb(pictures[0]).shape[1] == 2 * 480 + 8


def test_drift_needs_one_input_size(
    converted: Converted, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["drift", "--reference", str(converted.float32), "--candidate", str(EMBEDDED), *options]
    assert main([*command, "--network", "featherface_v2", "--size", "320"]) == 2
    assert "drift compares models at one input size" in capsys.readouterr().err
