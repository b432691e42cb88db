"""`--device host | arm64[:CORE] | armhf | adb[:SERIAL]`: the machine that the word names, ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.devices import adb
from benchmark.devices.compile import runner_for
from benchmark.devices.errors import DeviceError
from benchmark.devices.facts import DeviceFacts, read_facts
from benchmark.devices.kinds.android import BenchmarkModelMachine
from benchmark.devices.kinds.host import HostMachine
from benchmark.devices.kinds.linux import LinuxMachine
from benchmark.devices.lock import locked
from benchmark.devices.machine import Machine
from benchmark.emulation import wheels
from benchmark.emulation.armhf import ArmhfMachine
from benchmark.emulation.cost import arm64_machine
from benchmark.emulation.guest import CORES
from benchmark.emulation.image import guest_image
from benchmark.phone.app import AppMachine, AppRun
from model.foundation.errors import InputError

KINDS = ("host", "arm64", "armhf", "adb")
RUNNERS = ("auto", "benchmark_model", "app", "linux")


@dataclass(frozen=True)
class Target:
    """Which machine, and with what program.

    Attributes:
        kind: One of KINDS.
        name: The core of arm64, the serial of adb, or None.
        runner: One of RUNNERS, for adb.
        benchmark_model: The user's binary, or None.
        task: What the app does.
        keep_files: Leave our files on the device.
    """

    kind: str
    name: str | None = None
    runner: str = "auto"
    benchmark_model: Path | None = None
    task: AppRun = field(default_factory=AppRun)
    keep_files: bool = False


@dataclass(frozen=True)
class Opened:
    """A machine that is ready, with its adb connection and facts where it has them."""

    machine: Machine
    device: adb.AdbDevice | None = None
    facts: DeviceFacts | None = None


def parse_device(text: str) -> tuple[str, str | None]:
    """Split "adb:SERIAL" or "arm64:cortex-a76" into kind and name.

    Raises:
        InputError: the kind is unknown, or names a thing that it does not have.
    """
    kind, _, name = text.partition(":")
    if kind not in KINDS or (name and kind in ("host", "armhf")):
        raise InputError(f"--device takes host, arm64[:CORE], armhf or adb[:SERIAL], found {text!r}")
    if kind == "arm64" and name and name not in CORES:
        raise InputError(f"expected a core out of {', '.join(CORES)}, found {name}")
    return kind, name or None


@contextmanager
def opened(target: Target) -> Iterator[Opened]:
    """Get a machine ready for the block: boot, connect, lock; and tidy up behind it.

    An error leaves the pushed files on a device, so that a resumed run need not push them again.

    Raises:
        InputError: the target is incomplete.
        DeviceError: the device cannot be used.
    """
    if target.kind == "host":
        yield Opened(HostMachine())
    elif target.kind == "armhf":
        yield Opened(ArmhfMachine())
    elif target.kind == "arm64":
        with arm64_machine(target.name or CORES[0], counting=False) as machine:
            yield Opened(machine)
    else:
        with _opened_adb(target) as ready:
            yield ready


@contextmanager
def _opened_adb(target: Target) -> Iterator[Opened]:
    device = adb.choose(target.name)
    facts = read_facts(device)
    with locked(facts.serial_number or device.serial):
        machine = _machine(target, device, facts)
        yield Opened(machine, device, facts)
        if not target.keep_files:
            with suppress(DeviceError):
                machine.close()


def _machine(
    target: Target, device: adb.AdbDevice, facts: DeviceFacts
) -> BenchmarkModelMachine | AppMachine | LinuxMachine:
    runner = target.runner
    if runner == "auto":
        runner = "linux" if not facts.is_android else "benchmark_model" if target.benchmark_model else "app"
    described = facts.as_machine(device.serial)
    if runner == "benchmark_model":
        if target.benchmark_model is None:
            raise InputError(
                "--runner benchmark_model needs the program: --benchmark-model PATH (no registry carries one)"
            )
        return BenchmarkModelMachine(device, described, target.benchmark_model)
    if runner == "app":
        if not facts.is_android:
            raise InputError(f"{device.serial} does not run Android, so it has no app: use --runner linux")
        return AppMachine(device, described, target.task)
    if facts.is_android:
        raise InputError(
            f"{device.serial} runs Android: the Linux runner needs glibc; use --runner app or benchmark_model"
        )
    if "aarch64" not in facts.abis:
        raise InputError(
            f"{device.serial} is {', '.join(facts.abis) or 'of unknown kind'}: "
            "the Linux runner is for aarch64"
        )
    library = board_library()
    return LinuxMachine(device, described, runner_for("arm64", library), library)


def board_library() -> Path:
    """The folder of the arm64 libLiteRt.so, which any Linux board with glibc 2.34 can load."""
    from model.foundation.cache import cache_folder

    with suppress(InputError):
        return guest_image(fetch=False).library
    return wheels.unpacked(wheels.LITERT_ARM64, cache_folder() / "arm") / "ai_edge_litert"
