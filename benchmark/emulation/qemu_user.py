"""Single foreign programs under qemu-user, their instructions counted by a plugin of our own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from benchmark.emulation import packages
from benchmark.emulation.guest import loader_of
from benchmark.emulation.packages import Packages
from benchmark.errors import DeviceError, DeviceTimeoutError
from benchmark.runner.build import SOURCES
from benchmark.runner.c_compiler import build_state, compile_c
from benchmark.runner.output import last_error
from model.foundation.cache import cache_folder, filling

ARMHF_CORE = "cortex-a7"
ARMHF = Packages("bookworm", "armhf", ("python3-minimal", "python3-numpy", "libstdc++6"))
"""Debian 12: its Python 3.11 is the last that tflite-runtime has a wheel for, its numpy the last below 2."""

_CPUINFO = """processor\t: 0
model name\t: ARMv7 Processor rev 5 (v7l)
BogoMIPS\t: 100.00
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae
CPU implementer\t: 0x41
CPU architecture: 7
CPU variant\t: 0x0
CPU part\t: 0xc07
CPU revision\t: 5

Hardware\t: Generic
"""
"""What a Cortex-A7 says: the runtime reads this file, and the host's would make it misjudge the processor."""


def armhf_system() -> Path:
    """The files of a 32-bit ARM system with Python and numpy, fetched once.

    Raises:
        InputError: they cannot be fetched.
    """
    root = packages.unpacked(ARMHF, cache_folder() / "arm")
    if not (root / "proc/cpuinfo").is_file():
        (root / "proc").mkdir(exist_ok=True)
        (root / "proc/cpuinfo").write_text(_CPUINFO)
    return root


def emulator_packages() -> Packages:
    """Debian 12's qemu-user is a dynamic program, as plugins need; Debian 13's is static."""
    return Packages("bookworm", packages.host_architecture(), ("qemu-user",))


def counter_plugin() -> Path:
    """Our instruction counter as a QEMU plugin, built once.

    Raises:
        InputError: the compiler fails.
    """
    source = SOURCES / "plugin" / "instruction_count.c"
    flags = ("-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wl,--allow-shlib-undefined")
    folder = cache_folder() / "runner" / f"plugin-{build_state([source], flags)[:16]}"
    if not folder.is_dir():
        with filling(folder) as temporary:
            # QEMU itself provides the functions that the plugin calls.
            compile_c(flags, [source], temporary / "count.so")
    return folder / "count.so"


class UserEmulator:
    """Runs one foreign program under qemu-user.

    Attributes:
        program: "qemu-arm" or "qemu-aarch64".
        core: The emulated core.
        root: The foreign system's files.
    """

    def __init__(self, program: str, core: str, root: Path) -> None:
        self.program = program
        self.core = core
        self.root = root
        self._emulator = packages.unpacked(emulator_packages(), cache_folder() / "arm")

    def run(
        self, command: list[str], variables: dict[str, str], timeout_s: float, count: bool
    ) -> tuple[str, int | None]:
        """Run `command` in the foreign system.

        Returns:
            Its output and error output, and the instructions it executed if `count`.

        Raises:
            DeviceError: it fails or does not end in time.
        """
        start = [*loader_of(self._emulator), str(self._emulator / "usr/bin" / self.program)]
        start += ["-cpu", self.core, "-L", str(self.root)]
        for name, value in variables.items():
            start += ["-E", f"{name}={value}"]
        if count:
            start += ["-plugin", f"file={counter_plugin()}"]
        try:
            done = subprocess.run(
                [*start, *command],
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
                env=_plain(),
            )
        except subprocess.TimeoutExpired:
            raise DeviceTimeoutError(f"{self.program} did not end within {timeout_s:.0f} s") from None
        text = done.stdout + done.stderr
        if done.returncode != 0:
            raise DeviceError(f"{self.program}: the runner failed: {last_error(text)}")
        counted = re.search(r"^INSTRUCTIONS (\d+)$", done.stderr, re.MULTILINE)
        return text, int(counted.group(1)) if counted else None


def _plain() -> dict[str, str]:
    """The environment without the variables that would reach into the foreign program."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "LD_", "VIRTUAL_ENV"))
    }
