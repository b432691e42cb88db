"""The same commit makes the same bytes, in whichever folder and with however many threads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model.foundation.artifact import sha256_of
from tests.conftest import EMBEDDED, ROOT, Converted

RANGES = EMBEDDED.with_name("featherface_v2_ranges.json")


def _run(threads: int, *arguments: str | Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)


@pytest.mark.slow
def test_folder_and_threads_change_no_byte(converted: Converted, demo_set: Path, tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    shutil.copy(min((demo_set / "evaluation" / "images").iterdir()), photographs)
    looked = ("--photographs", photographs)
    once, again = tmp_path / "once", tmp_path / "another name"
    shutil.copytree(converted.float32.parent, once)
    source = ("--checkpoint", EMBEDDED, "--network", "featherface_v2", "--size", "96x128")
    _run(2, "convert", *source, *looked, "--output", again)
    recipe = ("--recipe", ROOT / "quantize" / "recipes" / "int8.json", "--ranges", RANGES)
    for threads, folder in ((1, once), (2, again)):
        model, output = folder / converted.float32.name, folder / "int8.tflite"
        _run(threads, "quantize", "apply", "--model", model, *recipe, *looked, "--output", output)
    for name in (converted.onnx.name, converted.float32.name, "int8.tflite"):
        assert sha256_of(once / name) == sha256_of(again / name), name
