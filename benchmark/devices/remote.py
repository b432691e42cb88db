"""Runs a program on a device in such a way that it does not outlive us."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress

from benchmark.devices.adb import AdbDevice, ShellResult
from benchmark.devices.errors import DeviceError, DeviceTimeoutError


def run_to_end(device: AdbDevice, command: Sequence[str], pid_file: str, silence_s: float) -> ShellResult:
    """Run a command, standard error joined with its output; end it there if it hangs or ctrl-C ends us.

    Args:
        device: The device.
        command: Program and arguments.
        pid_file: A path on the device for its process number.
        silence_s: Longest silence in seconds.

    Raises:
        DeviceTimeoutError: it hung, and was killed.
        DeviceGoneError: the connection broke.
    """
    line = " ".join(shlex.quote(part) for part in command)
    try:
        return device.shell(f"echo $$ > {pid_file}; exec {line} 2>&1", timeout_s=silence_s)
    except (DeviceTimeoutError, KeyboardInterrupt):
        with suppress(DeviceError):
            device.shell(f"kill -9 $(cat {pid_file})", timeout_s=10)
        raise
    finally:
        with suppress(DeviceError):
            device.shell(f"rm -f {pid_file}", timeout_s=10)
