"""Tables of commands: help that loads nothing heavy, one line for what a user gets wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from model.foundation.command_line.command_table import Command, run_commands

MODULE = '''
"""Commands of a toy."""
from model.foundation.command_line import flags
from model.foundation.errors import GateError

def sort(model: flags.Models, *, limit: flags.Limit = None, quiet: flags.Quiet = False) -> None:
    """Sort the files.

    The smallest comes first.
    """
    print(sorted(path.name for path in model), limit, quiet)

def fail() -> None:
    """Miss a limit."""
    raise GateError("2 faces lost,\\nat most 1 allowed")
'''
TABLE = (
    Command("sort", "toy_commands:sort", "Sort files.", "b.tflite a.tflite"),
    Command("fail", "toy_commands:fail", "Miss a limit."),
    Command("other", "no_such_module:main", "Never loaded."),
)


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_commands.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_commands", raising=False)


def _run(*arguments: str) -> int:
    return run_commands("toy", "A toy.", TABLE, arguments)


def test_the_list_of_commands_loads_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--help") == 0
    shown = capsys.readouterr().out
    assert all(command.help in shown for command in TABLE)
    assert "toy_commands" not in sys.modules


def test_a_commands_help_is_its_docstring_its_flags_and_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run("sort", "--help") == 0
    shown = capsys.readouterr().out
    assert "The smallest comes first." in shown
    assert "drawn at random" in shown
    assert "toy sort b.tflite a.tflite" in shown


def test_several_files_follow_one_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("sort", "--model", "b.tflite", "a.tflite", "--limit", "3", "--quiet") == 0
    assert capsys.readouterr().out == "['a.tflite', 'b.tflite'] 3 True\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["srt"], "unknown command 'srt': did you mean 'sort'?"),
        (["zzz"], "expected one of sort, fail, other"),
        (["sort"], "--model requires an argument"),
        (["sort", "a", "--limit", "x"], "unable to convert"),
        (["sort", "a", "--nosuch"], "--nosuch"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_missed_gate_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("fail") == 1
    assert capsys.readouterr().err == "gate failed: 2 faces lost, at most 1 allowed\n"
