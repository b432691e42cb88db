"""`detect`: faces as text, JSON and pictures; a foreign file with its spec."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from benchmark.__main__ import main
from tests.conftest import Converted


def test_a_photograph_gets_its_faces_drawn(
    converted: Converted, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for picture in sorted((demo_set / "evaluation" / "images").iterdir())[:2]:
        shutil.copy(picture, folder)
    photographs = sorted(folder.iterdir())
    arguments = ["detect", str(converted.float32), "--images", str(folder), "--score", "0.02"]
    code = main([*arguments, "--output", str(tmp_path / "faces"), "--json", str(tmp_path / "faces.json")])
    assert code == 0
    written = json.loads((tmp_path / "faces.json").read_text())["photographs"]
    shown = capsys.readouterr().out
    for path, one in zip(photographs, written, strict=True):
        assert f"{path}: {len(one['faces'])} face(s)" in shown
        with Image.open(tmp_path / "faces" / f"{path.stem}.jpg") as picture:
            assert picture.width == 960
        for face in one["faces"]:
            assert len(face["box_xyxy"]) == 4
            assert len(face["landmarks"]) == 5


def test_a_spec_of_other_outputs_names_both(
    converted: Converted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({**converted.spec.to_json(), "boxes_from": ["cells"]}))
    photograph = tmp_path / "grey.png"
    Image.new("RGB", (64, 48), (90, 90, 90)).save(photograph)
    assert main(["detect", str(converted.float32), "--spec", str(spec), "--images", str(photograph)]) == 2
    error = capsys.readouterr().err
    assert "its spec names the outputs cells; the file has boxes" in error
    assert error.count("\n") == 1
