"""`python -m PACKAGE COMMAND`: finds the module of the asked command and loads no other."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Mapping, Sequence

from model.foundation.errors import exit_code_of

Commands = Mapping[str, Sequence[str]]
"""Module -> names of the commands that its function `register(subparsers)` adds, in the order of the help."""


def build_parser(
    package: str, description: str | None, commands: Commands, asked: str
) -> argparse.ArgumentParser:
    """The command line of a package.

    Args:
        package: Its name.
        description: For the help.
        commands: All there are.
        asked: The first argument. Only its module is imported (some import PyTorch or SciPy, which takes
            seconds); all are, for the help, when it names no command.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=description)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    wanted = [module for module, names in commands.items() if asked in names]
    for module in wanted or commands:
        importlib.import_module(module).register(subparsers)
    return parser


def run_command(
    package: str, description: str | None, commands: Commands, arguments: Sequence[str] | None = None
) -> int:
    """Run one command and return its exit code: 0, 1 for a failed gate, 2 for unusable input.

    Args:
        package, description, commands: See `build_parser`.
        arguments: Of the command line; the process's own if None.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    options = build_parser(package, description, commands, given[0] if given else "").parse_args(given)
    return exit_code_of(lambda: int(options.run(options)))
