"""A registry lists the files of a folder and loads only what is asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from model.foundation.errors import InputError
from model.foundation.registry import Registry


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[int]:
    folder = tmp_path / "registry_of_shapes"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "square.py").write_text("CORNERS = 4\n")
    (folder / "broken.py").write_text("raise RuntimeError('loaded')\n")
    (folder / "_private.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("registry_of_shapes", "CORNERS", "shape")
    for name in [name for name in sys.modules if name.startswith("registry_of_shapes")]:
        del sys.modules[name]


def test_names_are_the_files_and_listing_loads_none(shapes: Registry[int]) -> None:
    assert shapes.names() == ("broken", "square")
    assert "registry_of_shapes.square" not in sys.modules


def test_a_broken_entry_stops_no_other(shapes: Registry[int]) -> None:
    assert shapes["square"] == 4
    with pytest.raises(RuntimeError, match="loaded"):
        shapes["broken"]


def test_an_unknown_name_lists_the_known_ones(shapes: Registry[int]) -> None:
    with pytest.raises(InputError, match="unknown shape 'circle': expected one of broken, square"):
        shapes["circle"]
