"""What every machine behind adb has in common: one run at a time, its facts, one folder of ours on it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from benchmark.adb import client
from benchmark.adb.facts import DeviceFacts, MachineFacts, read_facts
from benchmark.adb.heat import Sample, take_sample
from benchmark.devices.machine import Machine, RunRequest
from benchmark.errors import DeviceError
from benchmark.runner.output import last_error
from model.foundation.cache import cache_folder

FOLDER = "/data/local/tmp/featherface"
"""The one folder that we use on a device; removed at the end."""


class AdbMachine(Machine):
    """A machine behind adb.

    Attributes:
        device: The device.
        silence_s: Longest wait for one run beyond its own limit, in seconds.
    """

    silence_s = 120.0

    def __init__(self, device: client.AdbDevice, facts: MachineFacts) -> None:
        self.device = device
        self._facts = facts

    @property
    def facts(self) -> MachineFacts:
        return self._facts

    def sample(self, since: float) -> Sample | None:
        return take_sample(self.device, since)

    def close(self) -> None:
        """Remove everything of ours from the device."""
        self.device.remove(FOLDER)

    def run_program(self, command: list[str], what: str, request: RunRequest) -> str:
        """Run a program to its end on the device and return all that it prints.

        Raises:
            DeviceError: it fails, or is silent for longer than twice the request's limit.
        """
        limit = request.max_seconds * 2 + self.silence_s
        done = self.device.run_to_end(command, f"{FOLDER}/pid", limit)
        if done.exit_code != 0:
            reason = last_error(done.stdout)
            raise DeviceError(f"{self.device.serial}: {what} failed ({done.exit_code}): {reason}")
        return done.stdout


Build = Callable[[client.AdbDevice, DeviceFacts], AdbMachine]


@contextmanager
def over_adb(serial: str | None, build: Build, *, keep_files: bool) -> Iterator[AdbMachine]:
    """Connect to a device and hold it for the block; tidy up behind it.

    An error leaves the pushed files on the device, so that a resumed run need not push them again.

    Args:
        serial: Which device; None: the only one.
        build: Makes the machine of a device, or refuses it.
        keep_files: Leave the files on it after success, too.

    Raises:
        DeviceError: there is no such device, it is not usable, or another run holds it.
    """
    device = client.choose(serial)
    facts = read_facts(device)
    with locked(facts.serial_number or device.serial):
        machine = build(device, facts)
        machine.clusters = facts.clusters
        yield machine
        if not keep_files:
            with suppress(DeviceError):
                machine.close()


@contextmanager
def locked(identity: str) -> Iterator[None]:
    """Hold a device for the block. The lock ends with the process, however that ends.

    Args:
        identity: The device's own serial number, so that USB and network count as the same device.

    Raises:
        DeviceError: another run holds it; names its process.
    """
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / re.sub(r"[^\w.-]", "_", identity)
    with path.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise DeviceError(
                f"another benchmark (process {holder}) is using {identity}: wait for it, or end that process"
            ) from None
        stream.seek(0)
        stream.truncate()
        stream.write(str(os.getpid()))
        stream.flush()
        yield
