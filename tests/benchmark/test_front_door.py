"""Every command behind one door: told apart, explained at once, with an example that can be pasted."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import resource
import shlex
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.front_door import PACKAGES, commands, main
from model.foundation.command_line import flags
from model.foundation.command_line.command_table import Command, parse
from tests.conftest import ROOT

HEAVY = (
    "matplotlib",
    "torch",
    "numpy",
    "cv2",
    "PIL",
    "scipy",
    "onnx",
    "onnxruntime",
    "tensorflow",
    "ai_edge_litert",
)
HELP = ("-m", "benchmark.front_door")
LIBRARIES = ("-c", "import cyclopts, rich.console")
MOST = 2.7
"""A help takes 1.9 times what these take, 0.24 and 0.13 s of a slow machine; NumPy would add as much."""
COMMANDS = commands()
NAMES = [one.name for one in COMMANDS]
VOCABULARY = {
    "model": (flags.Model, flags.Models),
    **{
        name.lower(): (value,)
        for name, value in vars(flags).items()
        if typing.get_origin(value) is typing.Annotated and name not in ("Model", "Models")
    },
}

HELPS = """
import contextlib, io, json, sys
from benchmark.front_door import commands, main
shown = {}
for name in ["", *(one.name for one in commands())]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main([name, "--help"] if name else ["--help"])
    shown[name] = [code, out.getvalue(), [one for one in sys.argv[1:] if one in sys.modules]]
print(json.dumps(shown))
"""


def test_no_name_stands_for_two_commands() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert set(NAMES) >= {"evaluate", "drift", "report", "gate"}


def test_it_is_declared_and_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"featherface": "benchmark.front_door:main"}
    assert set(PACKAGES) <= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_every_help_explains_itself_and_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELPS, *HEAVY], cwd=ROOT, capture_output=True, text=True, check=True
    )
    shown = json.loads(done.stdout)
    assert all(f"\n  {name}: " in shown[""][1] for name in NAMES)
    for name, (code, text, loaded) in shown.items():
        assert code == 0, name
        assert not loaded, f"`featherface {name} --help` imports {', '.join(loaded)}"
        assert f"Usage: featherface {name}".rstrip() in text
        if name:
            assert f"Example:\n  featherface {name}" in text


@pytest.mark.parametrize("arguments", [[], ["evaluate"]], ids=["all", "one"])
def test_a_help_appears_at_once(arguments: list[str], tmp_path: Path) -> None:
    """In CPU seconds, beside what its libraries alone take: one machine differs from hour to hour."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPYCACHEPREFIX": str(tmp_path)}

    def seconds(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    both = [(seconds(*HELP, *arguments, "--help"), seconds(*LIBRARIES)) for _ in range(6)]
    shown, loaded = map(min, zip(*both[1:], strict=True))  # byte code is made by the first
    assert shown < MOST * loaded


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_every_example_is_understood(command: Command) -> None:
    parse(COMMANDS, [command.name, *shlex.split(command.example)])


def _function(command: Command) -> Any:
    module, name = command.function.split(":")
    return getattr(importlib.import_module(module), name)


def _flags(owner: Any, names: Iterator[str] | list[str]) -> Iterator[tuple[str, Any]]:
    """Name -> annotation of every flag, those of dataclasses that are spread over the command line too."""
    hints = typing.get_type_hints(owner, include_extras=True)
    for name in names:
        if is_dataclass(hints[name]):
            yield from _flags(hints[name], [one.name for one in fields(hints[name])])
        else:
            yield name, hints[name]


def _mentions(annotation: Any, wanted: tuple[Any, ...]) -> bool:
    return annotation in wanted or any(_mentions(part, wanted) for part in typing.get_args(annotation)) or (
        # Annotated[Annotated[X, a], b] is flattened by Python: the same parameter, with another help
        typing.get_origin(annotation) is typing.Annotated
        and any(annotation.__metadata__[: len(one.__metadata__)] == one.__metadata__ for one in wanted)
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_a_flag_of_the_vocabulary_means_the_same_everywhere(command: Command) -> None:
    function = _function(command)
    for name, annotation in _flags(function, list(inspect.signature(function).parameters)):
        if name in VOCABULARY:
            assert _mentions(annotation, VOCABULARY[name]), f"{command.name} --{name}: {annotation}"


def test_a_wrong_name_is_helped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evalate"]) == 2
    assert "did you mean 'evaluate'?" in capsys.readouterr().err
