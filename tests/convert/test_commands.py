"""`python -m convert`: what is refused before anything is loaded, and the stamp that make waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

import convert
from convert.commands import COMMANDS
from model.foundation.command_table import run_command
from tests.conftest import EMBEDDED


def _run(*arguments: str) -> int:
    return run_command("python -m convert", COMMANDS[0], arguments)


@pytest.mark.parametrize("size", ["0", "321", "64x99999", "big"])
def test_sizes(size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stamp = tmp_path / "stamp"
    call = (
        "--checkpoint",
        str(EMBEDDED),
        "--network",
        "featherface_v2",
        "--size",
        size,
        "--stamp",
        str(stamp),
    )
    assert _run(*call) == 2
    assert ("size" if size == "big" else "multiple of 32") in capsys.readouterr().err
    assert not stamp.exists()


@pytest.mark.parametrize(
    ("checkpoint", "network", "said"),
    [
        ("absent.pth", "featherface_v2", "no such checkpoint file: absent.pth"),
        (str(EMBEDDED), "yolo", "featherface_v1, featherface_v2, retinaface"),
        (str(EMBEDDED), "featherface_v2", "--photographs"),
    ],
)
def test_what_cannot_work_is_one_line(
    checkpoint: str, network: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("--checkpoint", checkpoint, "--network", network) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_stamp_is_written_once(tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    call = ("--checkpoint", str(EMBEDDED), "--network", "featherface_v2", "--stamp", str(stamp))
    assert _run(*call) == 0
    written = stamp.stat().st_mtime_ns
    assert _run(*call) == 0
    assert stamp.stat().st_mtime_ns == written
    other = tmp_path / "other.pth"
    other.write_bytes(b"other")
    assert _run("--checkpoint", str(other), *call[2:]) == 0
    assert stamp.stat().st_mtime_ns != written


def test_the_package_offers_what_it_promises() -> None:
    assert callable(convert.convert)
    with pytest.raises(AttributeError):
        convert.absent  # noqa: B018
