"""The images of a calibration: a warning where they are only the demo set."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration_data.selection import Manifest, write_manifest
from model.networks import spec_of
from quantize.calibrate.images import DEMO_SET_WARNING, CalibrationImages


def _manifest(path: Path, *names: str) -> Path:
    write_manifest(Manifest(path.parent, names, ("",) * len(names), 0, {}), path)
    return path


def test_the_demo_set_warns_loudly_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = spec_of("featherface_v2", 64, 64)
    demo = _manifest(tmp_path / "demo.json", "demo_000.png", "demo_001.png")
    photographs = _manifest(tmp_path / "mine.json", "a.jpg")
    assert len(CalibrationImages([photographs, demo], spec)) == 3
    assert caplog.messages == []
    assert len(CalibrationImages([demo], spec)) == 2
    assert caplog.messages == [DEMO_SET_WARNING]
    assert "\n" not in DEMO_SET_WARNING
