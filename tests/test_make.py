"""`make tflite` as a user calls it: everything once, nothing twice, and only what a change touches."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from model.foundation.artifact import Artifact
from model.networks import NETWORKS
from tests.conftest import ROOT

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int8_fp16")


def _make(build: Path, calibration: Path, *more: str) -> subprocess.CompletedProcess[str]:
    target = [] if any(one.endswith(".tflite") for one in more) else ["tflite"]
    call = ["make", *target, f"BUILD={build}", "SIZE=64x96", f"CALIBRATION={calibration}", *more]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True)


def _made(build: Path) -> dict[str, int]:
    return {
        path.name: path.stat().st_mtime_ns for path in build.glob("featherface_v2_64x96*.*") if path.is_file()
    }


@pytest.mark.slow
def test_make_tflite_makes_what_is_missing_and_no_more(demo_set: Path, tmp_path: Path) -> None:
    build, photographs = tmp_path / "build", tmp_path / "photographs"
    photographs.mkdir()
    pictures = sorted((demo_set / "calibration" / "images").iterdir())
    for picture in pictures[:6]:
        shutil.copy(picture, photographs)
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8\xff")

    first = _make(build, photographs)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "broken.jpg" in first.stderr
    made = _made(build)
    expected = {f"featherface_v2_64x96_{precision}.tflite" for precision in PRECISIONS}
    assert expected | {"featherface_v2_64x96.onnx"} == {name for name in made if not name.endswith(".json")}
    for name in expected:
        assert name.removesuffix(".tflite").removeprefix("featherface_v2_64x96_") in first.stdout
        assert Artifact.load(build / name).record["sha256"]

    second = _make(build, photographs)
    assert second.returncode == 0
    assert _made(build) == made

    shutil.copy(pictures[6], photographs)
    # float16 too: the score above which it shows faces is measured on the photographs.
    again = {f"featherface_v2_64x96_{name}.tflite" for name in ("float16", "int8")}
    assert _make(build, photographs, *(str(build / name) for name in sorted(again))).returncode == 0
    changed = {
        name for name, time in _made(build).items() if time != made[name] and not name.endswith(".json")
    }
    assert changed == again

    made = _made(build)
    torch.save(NETWORKS["retinaface"].build().state_dict(), tmp_path / "other.pth")
    other = _make(build, photographs, f"CHECKPOINT={tmp_path / 'other.pth'}")
    assert other.returncode == 2
    assert "use NETWORK=retinaface" in other.stderr
    assert _made(build) == made

    empty = tmp_path / "empty"
    empty.mkdir()
    refused = _make(build, empty)
    assert refused.returncode == 2
    assert "no image" in refused.stderr
