"""A detector that its author's own function reads: named on the command line, never by a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.front_door import main
from model.foundation.command_line.command_table import DECODE
from tests.constant_onnx import constant_network

FUNCTION = """
import numpy as np

def decode(outputs, spec):
    ratio, found = outputs["ratio"][0], outputs["found"][0]
    boxes = np.stack([found[:, 0], found[:, 1], found[:, 0] + ratio, found[:, 1] + ratio], axis=1)
    return boxes, found[:, 2:3], np.zeros((len(found), 0))

def fails(outputs, spec):
    return outputs["absent"]

def other(outputs, spec):
    return np.zeros((3, 4)), np.zeros((2, 1)), np.zeros((3, 0))
"""
SPEC = {
    "network": "ours", "input_height": 32, "input_width": 32, "decoder": "own", "rows": 3, "points": 0,
    "score_channels": 1, "boxes_from": ["ratio"], "scores_from": ["found"],
}  # fmt: skip


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """`detect` of a file whose three candidates do not depend on the picture."""
    values = {
        "ratio": np.float32([[8, 4, 2]]),
        "found": np.float32([[[1, 2, 0.9], [20, 20, 0.1], [9, 9, 0.7]]]),
    }
    constant_network(tmp_path / "net.onnx", values, 32)
    Image.new("RGB", (32, 32)).save(tmp_path / "grey.png")
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    (tmp_path / "my_own_decoder.py").write_text(FUNCTION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DECODE, "")
    return ["detect", "net.onnx", "grey.png", "--spec", "spec.json", "--json", "found.json"]


@pytest.mark.parametrize("given", [["--decode", "my_own_decoder:decode"], ["--decode=my_own_decoder:decode"]])
def test_a_function_reads_the_outputs(command: list[str], given: list[str], tmp_path: Path) -> None:
    assert main([*command, *given]) == 0
    ((first, second),) = [
        one["faces"] for one in json.loads((tmp_path / "found.json").read_text())["pictures"]
    ]
    assert (first["box_xyxy"], first["score"]) == ([1, 2, 9, 10], 0.9)
    assert (second["box_xyxy"], second["score"]) == ([9, 9, 11, 11], 0.7)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "ours is read by a function of its author's: name it with --decode"),
        (["--decode", "my_own_decoder:absent"], "expected package.module:function"),
        (
            ["--decode", "my_own_decoder:fails"],
            "fails fails on the outputs (KeyError: 'absent')",
        ),
        (["--decode", "my_own_decoder:other"], "landmarks [N, 2 P], found [3, 4], [2, 1], [3, 0]"),
    ],
)
def test_what_cannot_be_read_is_said(
    given: list[str], message: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *given]) == 2
    assert message in capsys.readouterr().err
