"""The one module that starts the ARM emulator."""

from __future__ import annotations

import ctypes
import platform
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark.adb import client
from benchmark.emulation import packages
from benchmark.emulation.image import ADB_PORT, READY, GuestImage, guest_image
from benchmark.emulation.packages import Packages
from benchmark.errors import DeviceError
from model.foundation.cache import cache_folder
from model.foundation.errors import InputError

CORES = ("cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76")
"""Cores that phones and boards have. Never "max": QEMU 7.2's computes int8 wrongly."""

BOOT_TIMEOUT_S = 300.0
PR_SET_PDEATHSIG = 1
MEMORY_MB = 1024


@dataclass(frozen=True)
class Guest:
    """A running emulated machine.

    Attributes:
        core: The emulated core, one of CORES.
        counting: The guest's clock advances one nanosecond an instruction.
        device: How to reach it.
    """

    core: str
    counting: bool
    device: client.AdbDevice


def emulator_packages() -> Packages:
    """QEMU for this machine; its own libraries come along, so that any distribution can run it."""
    return Packages("trixie", packages.host_architecture(), ("qemu-system-arm",))


def emulator(fetch: bool = True) -> list[str]:
    """The command that starts qemu-system-aarch64, fetched once.

    Raises:
        InputError: it cannot be fetched, or is missing and must not be fetched.
    """
    base, wanted = cache_folder() / "arm", emulator_packages()
    if not fetch and not (base / wanted.key).is_dir():
        raise InputError("the emulated ARM machine is not prepared: run `python -m benchmark arm` once")
    root = packages.unpacked(wanted, base)
    return [*loader_of(root), str(root / "usr/bin/qemu-system-aarch64"), "-L", str(root / "usr/share/qemu")]


def loader_of(root: Path) -> list[str]:
    """The dynamic loader of an unpacked root, with its libraries instead of the machine's own."""
    loaders = sorted(root.glob("usr/lib/*-linux-gnu*/ld-linux-*.so.*")) + sorted(
        root.glob("lib/*/ld-linux-*.so.*")
    )
    if not loaders:
        raise InputError(f"no dynamic loader below {root}: delete the folder and repeat")
    triplet = f"{platform.machine()}-linux-gnu"
    folders = [root / f"usr/lib/{triplet}", root / f"lib/{triplet}"]
    return [str(loaders[0]), "--library-path", ":".join(str(folder) for folder in folders)]


@contextmanager
def running_guest(core: str, *, counting: bool, fetch: bool = True) -> Iterator[Guest]:
    """Boot a guest of one processor, connect adb to it, and end it with the block.

    Args:
        core: One of CORES.
        counting: Make the guest's clock count instructions.
        fetch: Whether missing parts may be fetched.

    Raises:
        InputError: the core is unknown.
        DeviceError: the guest does not boot; carries the last line of its console.
    """
    if core not in CORES:
        raise InputError(f"expected a core out of {', '.join(CORES)}, found {core}")
    image, command = guest_image(fetch), emulator(fetch)
    port = _free_port()
    command += _machine(core, image, port)
    if counting:
        command += ["-icount", "shift=0,sleep=off"]
    address = f"127.0.0.1:{port}"
    with tempfile.TemporaryFile() as console:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - the command lines start no thread before a guest
        )
        try:
            _wait_for_boot(process, console.fileno())
            _connect(address)
            yield Guest(core, counting, client.AdbDevice(address))
        finally:
            with suppress(DeviceError):
                client.disconnect(address)
            process.kill()
            process.wait()


def _machine(core: str, image: GuestImage, port: int) -> list[str]:
    forward = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{ADB_PORT}"
    return [
        *("-machine", "virt", "-cpu", core, "-smp", "1", "-m", str(MEMORY_MB)),
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd)),
        *("-append", "console=ttyAMA0 quiet loglevel=3 panic=-1", "-no-reboot"),
        *("-display", "none", "-monitor", "none", "-serial", "stdio"),
        *("-netdev", forward, "-device", "virtio-net-pci,netdev=net,romfile="),
    ]


def _die_with_parent() -> None:
    """Have the kernel end the emulator when this process ends, however it ends. Source: Linux, prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_boot(process: subprocess.Popen[bytes], console: int) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while time.monotonic() < deadline:
        text = Path(f"/proc/self/fd/{console}").read_text(errors="replace")
        if READY in text:
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    lines = [line for line in text.splitlines() if line.strip()]
    raise DeviceError(f"the emulated machine did not boot: {lines[-1] if lines else 'no output'}")


def _connect(address: str, tries: int = 30) -> None:
    """adbd needs a moment after the network is up; the emulator accepts connections before that."""
    for attempt in range(tries):
        try:
            client.connect(address)
            if client.AdbDevice(address).shell("true", timeout_s=10).exit_code == 0:
                return
        except DeviceError:
            if attempt == tries - 1:
                raise
            client.disconnect(address)
        time.sleep(0.5)
