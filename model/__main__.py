"""`python -m model COMMAND`: what a network consists of, cached teacher views, training, comparison."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from model.errors import exit_code_of

COMMANDS = ("model.summary", "model.training.commands", "model.training.comparing")
"""Modules that register a command each (or several), in the order of the help."""


def parser() -> argparse.ArgumentParser:
    """The command line of the package."""
    top = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(name).register(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 for unusable input."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    options = parser().parse_args(arguments)
    return exit_code_of(lambda: int(options.run(options)))


if __name__ == "__main__":
    sys.exit(main())
