"""Registers every command of this package."""

from __future__ import annotations

import argparse

from benchmark.devices import (
    arm_command,
    latency_command,
    list_command,
    phone_command,
    predict_command,
    run_command,
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add devices, arm, latency, run, evaluate-phone, predict and calibrate."""
    for module in (list_command, arm_command, latency_command, run_command, phone_command, predict_command):
        module.register(subparsers)
