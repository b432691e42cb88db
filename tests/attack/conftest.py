"""One small world for all attacks, and how many of each there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.attack import world as worlds


def share() -> float:
    """The part of all attacks that is made: FEATHERFACE_ATTACK, 1 for all of them."""
    return float(os.environ.get("FEATHERFACE_ATTACK", "0.05"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world; tests work on copies. FEATHERFACE_ATTACK_WORLD keeps it for the next run."""
    kept = os.environ.get("FEATHERFACE_ATTACK_WORLD")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("world")
    if not (folder / "run").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        worlds.build(folder)
    return folder
