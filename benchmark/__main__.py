"""`python -m benchmark COMMAND`: evaluation, drift, the report and its gate, devices and latency."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from model.errors import exit_code_of

COMMANDS = (
    "doctor",
    "summary",
    "evaluate",
    "wider_eval",
    "drift",
    "report",
    "gate",
    "bit_exact",
    "devices.commands",
)
"""Modules of this package that register a command each (or several), in the order of the help."""


def parser() -> argparse.ArgumentParser:
    """The command line of the package; every module of COMMANDS adds its own part."""
    top = argparse.ArgumentParser(prog="python -m benchmark", description=__doc__)
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"benchmark.{name}").register(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for a failed gate, 2 for unusable input."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    options = parser().parse_args(arguments)
    return exit_code_of(lambda: int(options.run(options)))


if __name__ == "__main__":
    sys.exit(main())
