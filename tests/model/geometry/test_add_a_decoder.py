"""What a new decoder takes: one file. A spec names it, and every command that detects uses it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmark.__main__ import main
from model.geometry import decoders
from tests.conftest import Converted

TOY = '''
"""Every candidate is the same box: the left half of the picture."""

import numpy as np

from model.geometry.decoders import Decoder, behind_background


def _boxes(rows, index, spec):
    return np.tile(np.array([[0, 0, spec.input_width / 2, spec.input_height]], np.float32), (len(rows), 1))


def _landmarks(rows, boxes_xyxy, index, spec):
    return np.zeros((len(rows), spec.points, 2), np.float32)


DECODER = Decoder(behind_background, _boxes, _landmarks)
'''


def test_a_decoder_is_one_file(
    converted: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "decoders"
    folder.mkdir()
    (folder / "left_half.py").write_text(TOY)
    spec, photograph = tmp_path / "spec.json", tmp_path / "grey.png"
    spec.write_text(json.dumps({**converted.spec.to_json(), "decoder": "left_half"}))
    width, height = converted.spec.input_width, converted.spec.input_height
    Image.new("RGB", (width, height), (90, 120, 150)).save(photograph)
    found = tmp_path / "found.json"
    command = ["detect", str(converted.float32), str(photograph), "--spec", str(spec)]
    command += ["--score", "0", "--json", str(found)]
    assert main(command) == 2
    assert "unknown decoder 'left_half'" in capsys.readouterr().err

    monkeypatch.setattr(decoders, "__path__", [*decoders.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "model.geometry.decoders.left_half", raising=False)
    assert main(command) == 0
    ((face,),) = [one["faces"] for one in json.loads(found.read_text())["pictures"]]
    assert face["box_xyxy"] == [0, 0, width / 2, height]
