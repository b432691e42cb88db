"""One small world for all attacks, and how many of each there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.attack import world as worlds
from tests.conftest import kept


def share() -> float:
    """The part of all attacks that is made: FEATHERFACE_ATTACK, 1 for all of them."""
    return float(os.environ.get("FEATHERFACE_ATTACK", "0.05"))


@pytest.fixture(scope="session")
def world() -> Path:
    """The world; tests work on copies."""
    packages = ("calibration_data", "model", "convert", "quantize", "benchmark")
    return kept("world", (*packages, "tests/attack", "tests/small_tflite.py"), worlds.build)
