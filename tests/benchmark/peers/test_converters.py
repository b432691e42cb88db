"""A converter is a script that registers itself, with an environment of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.environment import header
from benchmark.peers import converters as module
from benchmark.peers.converters import converters
from model.foundation.errors import InputError

HEADER = """# /// script
# requires-python = ">=3.11"
# dependencies = []
# [tool.peer]
# title = "Toy"
# setting = "plain"
# variants = ["loud", "quiet"]
# writes = ".toy"
# ///
"""
WRITES = """import os, sys
from pathlib import Path
assert "PYTHONPATH" not in os.environ
Path(sys.argv[2]).write_text((Path(sys.argv[1]) / "network.onnx").read_text() + sys.argv[3])
"""


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "converters"
    folder.mkdir()
    monkeypatch.setattr(module, "SCRIPTS", folder)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "network.onnx").write_text("network, ")
    return folder


def test_a_script_is_a_converter_for_each_variant(scripts: Path, tmp_path: Path) -> None:
    (scripts / "toy.py").write_text(HEADER + WRITES)
    found = list(converters())
    assert [(one.name, one.title, one.setting) for one in found] == [
        ("toy_loud", "Toy", "loud, plain"),
        ("toy_quiet", "Toy", "quiet, plain"),
    ]
    found[1].convert(tmp_path, tmp_path / "made.toy")
    assert (tmp_path / "made.toy").read_text() == "network, quiet"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no such operator')", "toy: ValueError: no such operator"),
        ("import sys; sys.exit('too old')", "toy: too old"),
        ("import sys; sys.exit(3)", "toy: ended with 3"),
        ("", "wrote nothing"),
    ],
)
def test_a_failure_is_one_line_and_leaves_nothing(
    body: str, said: str, scripts: Path, tmp_path: Path
) -> None:
    (scripts / "toy.py").write_text(HEADER + body)
    with pytest.raises(InputError, match=said):
        next(iter(converters())).convert(tmp_path, tmp_path / "made.toy")
    assert not list(tmp_path.glob("*made*"))


def test_what_is_no_converter_is_said(scripts: Path) -> None:
    (scripts / "bare.py").write_text("print('no header')")
    with pytest.raises(InputError, match="PEP 723"):
        list(converters())
    with pytest.raises(InputError, match="unknown converter 'absent': expected some of bare"):
        list(converters(["absent"]))


def test_every_shipped_script_pins_what_it_needs() -> None:
    found = list(converters())
    assert len({one.name for one in found}) == len(found) >= 6
    for one in found:
        assert all("==" in dependency for dependency in header(one.script)["dependencies"]), one.name
