"""`quantize check`: what is refused in the first second, and the stamp that make waits for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from model.foundation.command_line.command_table import run_commands
from model.networks import NETWORKS
from quantize.commands import COMMANDS
from tests.conftest import EMBEDDED, ROOT

V2 = ("--checkpoint", str(EMBEDDED), "--network", "featherface_v2")


def _check(*arguments: str) -> int:
    return run_commands("python -m quantize", "", COMMANDS, ["check", *arguments])


@pytest.mark.parametrize("size", ["0", "321", "64x99999", "big"])
def test_sizes(size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stamp = tmp_path / "stamp"
    assert _check(*V2, "--size", size, "--stamp", str(stamp)) == 2
    assert ("size" if size == "big" else "multiple of 32") in capsys.readouterr().err
    assert not stamp.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--images", "/nope"), "/nope"),
        (("--recipe", "/nope.json"), "no such file: /nope.json"),
        (("--recipe", "{}"), "is no recipe"),
        (("--called", "a b"), "a name is of letters"),
        (("--called", "../x"), "a name is of letters"),
        (("--model", "m.onnx"), "either weights with --checkpoint, or an ONNX or TFLite file"),
    ],
)
def test_what_cannot_work_is_one_line(
    wrong: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if wrong[1] == "{}":
        (tmp_path / "empty.json").write_text("{}")
        wrong = (wrong[0], str(tmp_path / "empty.json"))
    stamp = tmp_path / "stamp"
    assert _check(*V2, *wrong, "--stamp", str(stamp)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not stamp.exists()


def test_shipped_recipes_are_right() -> None:
    assert _check(*V2, "--recipe", *map(str, sorted((ROOT / "quantize" / "recipes").glob("*.json")))) == 0


def test_a_stamp_is_written_once(tmp_path: Path) -> None:
    mine, stamp = tmp_path / "mine.pth", tmp_path / "stamp"
    mine.write_bytes(b"mine")
    call = ("--checkpoint", str(mine), "--network", "featherface_v2", "--stamp", str(stamp))
    assert _check(*call) == 0
    assert stamp.read_text() == f"{hashlib.sha256(b'mine').hexdigest()}  {mine}\n"
    written = stamp.stat().st_mtime_ns
    assert _check(*call) == 0
    assert stamp.stat().st_mtime_ns == written
    mine.write_bytes(b"trained on")
    assert _check(*call) == 0
    assert stamp.stat().st_mtime_ns != written


def test_files_of_another_checkpoint_are_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp = tmp_path / "featherface_v2_320x320" / "made_from.sha256"
    assert _check(*V2, "--stamp", str(stamp)) == 0
    noted = stamp.read_text()

    torch.save(NETWORKS["featherface_v2"].build().state_dict(), tmp_path / "mine.pth")
    call = ("--checkpoint", str(tmp_path / "mine.pth"), "--network", "featherface_v2")
    assert _check(*call, "--stamp", str(stamp)) == 2
    error = capsys.readouterr().err
    assert f"featherface_v2_320x320_* are made from {EMBEDDED}, not from {tmp_path / 'mine.pth'}" in error
    assert "NAME=mine, or put them elsewhere, BUILD=folder" in error
    assert stamp.read_text() == noted
    assert _check(*call, "--called", "mine", "--stamp", str(tmp_path / "mine_320x320" / "stamp")) == 0

    torch.save(NETWORKS["retinaface"].build().state_dict(), tmp_path / "other.pth")
    call = ("--checkpoint", str(tmp_path / "other.pth"), "--network", "featherface_v2")
    assert _check(*call, "--stamp", str(stamp)) == 2
    assert "use NETWORK=retinaface" in capsys.readouterr().err

    copy = tmp_path / "copy.pth"
    copy.write_bytes(EMBEDDED.read_bytes())
    assert _check("--checkpoint", str(copy), "--network", "featherface_v2", "--stamp", str(stamp)) == 0
    assert stamp.read_text() == noted
