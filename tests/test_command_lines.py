"""Bad input through the real command lines: one line, exit code 2, earlier outputs untouched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import EMBEDDED, ROOT


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True)


def _refused(done: subprocess.CompletedProcess[str], because: str) -> None:
    assert done.returncode == 2, done.stderr
    assert because in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_empty_calibration_folder(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    done = _run("calibration_data", "select", "--images", str(tmp_path), "--output", str(manifest))
    _refused(done, "no image")
    assert not manifest.exists()


def test_a_float_file_of_another_checkpoint(tmp_path: Path) -> None:
    earlier = tmp_path / "out.tflite"
    earlier.write_text("earlier")
    done = _run(
        "quantize", "apply", "--recipe", "quantize/recipes/int8.json", "--model", str(tmp_path / "no.tflite"),
        "--checkpoint", str(EMBEDDED), "--photographs", str(tmp_path), "--output", str(earlier),
    )  # fmt: skip
    _refused(done, "no such model file")
    assert earlier.read_text() == "earlier"
