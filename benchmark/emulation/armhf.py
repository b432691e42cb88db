"""32-bit ARM: tflite-runtime 2.14, the old devices' runtime, under qemu-user."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmark.devices import runner_output
from benchmark.devices.compile import SOURCES, compiler_version
from benchmark.devices.errors import DeviceError, DeviceTimeoutError
from benchmark.devices.machine import Machine, MachineFacts, RunRequest, runner_flags
from benchmark.devices.runner_output import RunnerOutput
from benchmark.emulation import packages, wheels
from benchmark.emulation.guest import loader_of
from benchmark.emulation.packages import Packages
from model.foundation.cache import cache_folder, filling
from model.foundation.errors import InputError

CORE = "cortex-a7"
SYSTEM = Packages("bookworm", "armhf", ("python3-minimal", "python3-numpy", "libstdc++6"))
"""Debian 12: its Python 3.11 is the last that tflite-runtime has a wheel for, its numpy the last below 2."""

CPUINFO = """processor\t: 0
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


def emulator_packages() -> Packages:
    """Debian 12's qemu-user is a dynamic program, as plugins need; Debian 13's is static."""
    return Packages("bookworm", packages.host_architecture(), ("qemu-user",))


def counter_plugin() -> Path:
    """Our instruction counter as a QEMU plugin, built once.

    Raises:
        InputError: the compiler fails.
    """
    source = SOURCES / "plugin" / "instruction_count.c"
    digest = hashlib.sha256(source.read_bytes() + compiler_version().encode()).hexdigest()[:16]
    folder = cache_folder() / "runner" / f"plugin-{digest}"
    if not folder.is_dir():
        with filling(folder) as temporary:
            command = [
                sys.executable,
                "-m",
                "ziglang",
                "cc",
                "-O2",
                "-shared",
                "-fPIC",
                "-Wall",
                "-Wextra",
                "-Werror",
            ]
            # QEMU itself provides the functions the plugin calls.
            command += ["-Wl,--allow-shlib-undefined", "-o", str(temporary / "count.so"), str(source)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise InputError(f"building the plugin failed: {runner_output.last_error(done.stderr)}")
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
            raise DeviceError(f"{self.program}: the runner failed: {runner_output.last_error(text)}")
        counted = re.search(r"^INSTRUCTIONS (\d+)$", done.stderr, re.MULTILINE)
        return text, int(counted.group(1)) if counted else None


class ArmhfMachine(Machine):
    """Runs models with tflite-runtime 2.14 on an emulated 32-bit Cortex-A7."""

    def __init__(self) -> None:
        base = cache_folder() / "arm"
        system, runtime = packages.unpacked(SYSTEM, base), wheels.unpacked(wheels.TFLITE_ARMHF, base)
        if not (system / "proc/cpuinfo").is_file():
            (system / "proc").mkdir(exist_ok=True)
            (system / "proc/cpuinfo").write_text(CPUINFO)
        self._emulator = UserEmulator("qemu-arm", CORE, system)
        libraries = system / "usr/lib/arm-linux-gnueabihf"
        self._variables = {
            "PYTHONPATH": str(runtime),
            "LD_LIBRARY_PATH": f"{libraries}/blas:{libraries}/lapack",
        }

    @property
    def facts(self) -> MachineFacts:
        return MachineFacts("emulated-armhf", f"armhf:{CORE}", CORE, {"core": CORE, "emulator": "qemu-user"})

    @property
    def runner(self) -> dict[str, str]:
        return {"name": "tflite_runner", "runtime": wheels.TFLITE_ARMHF.requirement.replace("==", " ")}

    def run(self, request: RunRequest) -> RunnerOutput:
        return self._run(request, count=False)[0]

    def instructions(self, model: Path, runs: int = 4) -> int:
        """Instructions of one inference: the difference of two programs that differ in their number of runs.

        Raises:
            DeviceError: the runtime refuses the model.
        """
        counts = []
        for count in (1, 1 + runs):
            request = RunRequest(
                model, warmup_runs=2, warmup_seconds=0, runs=count, min_seconds=0, max_seconds=3600
            )
            counts.append(self._run(request, count=True)[1] or 0)
        return round((counts[1] - counts[0]) / runs)

    def _run(self, request: RunRequest, count: bool) -> tuple[RunnerOutput, int | None]:
        if request.profile or request.delegate == "gpu":
            raise InputError(
                "armhf runs without operator profile and GPU: tflite-runtime 2.14's binding has neither"
            )
        with tempfile.TemporaryDirectory() as folder:
            latencies = Path(folder) / "latencies"
            script = str(SOURCES / "tflite_runner.py")
            flags = [*runner_flags(request, str(request.model)), f"--latencies_file={latencies}"]
            if request.frames is not None:
                flags.append(f"--input_file={request.frames}")
            if request.outputs is not None:
                request.outputs.mkdir(parents=True, exist_ok=True)
                flags.append(f"--output_dir={request.outputs}")
            python = str(self._emulator.root / "usr/bin/python3.11")
            text, counted = self._emulator.run(
                [python, script, *flags], self._variables, request.max_seconds * 2 + 600, count
            )
            timed = tuple(int(line) for line in latencies.read_text().split())
        output = runner_output.parse(text, "tflite-runtime under qemu-arm")
        return replace(output, latencies_ns=timed), counted


def _plain() -> dict[str, str]:
    """The environment without the variables that would reach into the foreign program."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "LD_", "VIRTUAL_ENV"))
    }
