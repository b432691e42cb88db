"""What evaluations of the embedded network share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def options(demo_set: Path, tmp_path: Path) -> list[str]:
    half = demo_set / "evaluation"
    return [
        "--images", str(half / "images"), "--labels", str(half / "label.txt"),
        "--limit", "10", "--processes", "1", "--cache", str(tmp_path / "cache"), "--quiet",
    ]  # fmt: skip
