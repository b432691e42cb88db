"""Steps as a user sees them."""

from __future__ import annotations

import os

import pytest

from model.foundation.command_line.progress import step


def test_a_step_in_a_notebook_writes_lines_and_no_display(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *_: pytest.fail("a display, which never ends"))
    with step("convert"):
        os.write(2, b"chatter of a library")
        print("chatter of Python")
    said = capfd.readouterr()
    assert "done  convert" in said.err
    assert "chatter" not in said.out + said.err
