"""Registers every command of this package."""

from __future__ import annotations

import argparse

from benchmark.devices import arm_command, latency_command, list_command, run_command


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add devices, arm, latency and run."""
    for module in (list_command, arm_command, latency_command, run_command):
        module.register(subparsers)
