"""`python -m convert`: what is refused before anything is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

import convert
from convert.commands import COMMANDS
from convert.doors import Opened, named
from model.foundation.command_line.command_table import run_command
from model.networks import spec_of
from tests.conftest import EMBEDDED


def _run(*arguments: str) -> int:
    return run_command("python -m convert", COMMANDS[0], arguments)


@pytest.mark.parametrize(
    ("checkpoint", "network", "said"),
    [
        ("absent.pth", "featherface_v2", "no such checkpoint file: absent.pth"),
        (str(EMBEDDED), "yolo", "featherface_v1, featherface_v2, retinaface"),
        (str(EMBEDDED), "featherface_v2", "--photographs"),
    ],
)
def test_what_cannot_work_is_one_line(
    checkpoint: str, network: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = () if said == "--photographs" else ("--photographs", "photos")
    assert _run("--checkpoint", checkpoint, "--network", network, *more) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_files_are_called_as_the_network_or_as_the_user_says() -> None:
    opened = Opened(nn.Identity(), spec_of("featherface_v2", 64, 96), Path("x.pth"))
    assert opened.stem == "featherface_v2_64x96"
    assert replace(opened, name=named("mine-2.1")).stem == "mine-2.1_64x96"


def test_the_package_offers_what_it_promises() -> None:
    assert callable(convert.convert)
    with pytest.raises(AttributeError):
        convert.absent  # noqa: B018
