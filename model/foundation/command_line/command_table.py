"""The command line of every package and of the front door: tables of functions, read by cyclopts.

A command is a function: its parameters are the flags, its docstring is the help, what it returns is the
exit code (nothing is 0). Only the module of the asked command is imported, and modules of commands import
what is heavy inside the functions, so that every help appears at once.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cyclopts import App, CycloptsError, Group, Parameter

from model.foundation.errors import InputError, exit_code_of

DECODE = "FEATHERFACE_DECODE"
"""Environment variable that holds what any command's `--decode package.module:function` named."""


@dataclass(frozen=True)
class Command:
    """One command of a table.

    Attributes:
        name: As a user types it after `python -m PACKAGE`.
        function: "module:function".
        help: One line for the list of commands; the function's docstring is the command's own help.
        example: Arguments that can be pasted after the name, from the root of the repository.
        front: Its name behind the front door, `featherface NAME`, where that differs.
        group: Heading in the list of commands, where there are several.
    """

    name: str
    function: str
    help: str
    example: str = ""
    front: str = ""
    group: str = ""


def run_commands(
    program: str, about: str | None, commands: Sequence[Command], arguments: Sequence[str] | None = None
) -> int:
    """Run the command that the arguments name.

    Args:
        program: As a user types it: "featherface" or "python -m quantize".
        about: Its help.
        commands: All there are, in the order of the help.
        arguments: Of the command line; the process's own if None.

    Returns:
        0; 1 for a failed gate; 2 for unusable input.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    given = _without_decode(sys.argv[1:] if arguments is None else list(arguments))
    return exit_code_of(lambda: _run(_app(program, about, commands, given[0] if given else ""), given))


def _without_decode(given: list[str]) -> list[str]:
    """Put `--decode` into the environment, where what reads a detector finds it in other processes too."""
    for place, one in enumerate(given):
        name, equals, function = one.partition("=")
        taken = 1 if equals else 2
        if name == "--decode" and place + taken <= len(given):
            os.environ[DECODE] = function if equals else given[place + 1]
            return given[:place] + given[place + taken :]
    return given


def run_command(program: str, command: Command, arguments: Sequence[str] | None = None) -> int:
    """Run a package's only command, which has no name of its own; see `run_commands`."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    module, function = command.function.split(":")
    run = getattr(importlib.import_module(module), function)
    app = _plain_app(program, run.__doc__, f"{program} {command.example}")
    app.default(run)
    return exit_code_of(lambda: _run(app, given))


def parse(commands: Sequence[Command], arguments: Sequence[str]) -> inspect.BoundArguments:
    """What a command line would call its function with, without calling it.

    Raises:
        InputError: it would be refused.
    """
    app = _app("", None, commands, arguments[0])
    try:
        return app.parse_args(list(arguments), exit_on_error=False, print_error=False)[1]
    except CycloptsError as error:
        raise InputError(str(error)) from None


def _plain_app(program: str, about: str | None, example: str) -> App:
    return App(
        name=program,
        help=inspect.cleandoc(about or ""),
        help_epilogue=f"Example:\n  {example}" if example else None,
        help_format="plaintext",
        help_formatter="plain",
        version_flags=(),
        suppress_keyboard_interrupt=False,  # `exit_code_of` says what ctrl-C left
        default_parameter=Parameter(negative=""),
    )


def _app(program: str, about: str | None, commands: Sequence[Command], asked: str) -> App:
    app = _plain_app(program, about, "")
    names = [command.name for command in commands]
    if asked and not asked.startswith("-") and asked not in names:
        near = difflib.get_close_matches(asked, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names)}"
        raise InputError(f"{program}: unknown command {asked!r}: {hint}")
    headings = list(dict.fromkeys(command.group for command in commands if command.group))
    groups = {name: Group(name, sort_key=place) for place, name in enumerate(headings)}
    if groups:
        app.group_commands = Group("help", sort_key=len(groups))
    for place, command in enumerate(commands):
        # The asked command is helped by its docstring; all others are named without being imported.
        if command.name == asked:
            example = f"Example:\n  {program} {command.name} {command.example}"
            app.command(command.function, name=command.name, help_epilogue=example)
        else:
            group = groups.get(command.group)
            app.command(command.function, name=command.name, help=command.help, sort_key=place, group=group)
    return app


def _run(app: App, arguments: Sequence[str]) -> int:
    try:
        result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        raise InputError(str(error)) from None
    return int(result or 0)
