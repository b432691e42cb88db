"""What a new network takes: one file. The commands know it then, and its checkpoint is read."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmark.__main__ import main as benchmark
from convert.doors import open_network
from model import networks
from model.__main__ import main
from model.foundation.command_line.command_table import run_commands
from model.networks import NETWORKS
from quantize.commands import COMMANDS

TOY = '''
"""RetinaFace's layers under another name, with anchors of its own."""

from model.networks import Network
from model.networks.retinaface import RetinaFace

NETWORK = Network(
    RetinaFace,
    {"anchor_sizes": ((12, 24), (48, 96), (192, 384)), "mean": (100.0, 100.0, 100.0)},
    {"backbone": ("body.",), "neck": ("fpn.",), "context": ("ssh",), "heads": ("Class", "Bbox", "Landmark")},
)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of the toy, whose file is added to the folder of networks."""
    folder = tmp_path / "networks"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)
    monkeypatch.setattr(networks, "__path__", [*networks.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "model.networks.toy", raising=False)
    torch.save(NETWORKS["toy"].build().state_dict(), tmp_path / "toy.pth")
    return tmp_path / "toy.pth"


def test_a_network_is_one_file(
    toy: Path, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["summary", "--network", "toy", "--size", "64", "--json", str(tmp_path / "parts.json")]) == 0
    assert "heads" in capsys.readouterr().out
    assert json.loads((tmp_path / "parts.json").read_text())["network"] == "toy"

    opened = open_network(toy, "toy", size="64x96")
    assert opened.spec.anchor_sizes == ((12, 24), (48, 96), (192, 384))
    check = ["check", "--checkpoint", str(toy), "--network", "toy", "--size", "64"]
    assert run_commands("quantize", "", COMMANDS, [*check, "--stamp", str(tmp_path / "stamp")]) == 0

    half = demo_set / "evaluation"
    labelled = ["--images", str(half / "images"), "--labels", str(half / "label.txt"), "--limit", "2"]
    opened_as = ["--network", "toy", "--size", "64", "--processes", "1", "--no-resume", "--quiet"]
    assert benchmark(["evaluate", str(toy), *labelled, *opened_as]) == 0
    assert "toy.pth" in capsys.readouterr().out


def test_without_the_file_it_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "--network", "toy"]) == 2
    assert "unknown network 'toy': expected one of featherface_v1" in capsys.readouterr().err
