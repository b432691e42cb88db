"""Devices over adb: a Linux board with our C runner, a phone with benchmark_model or the demo app."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark import wheels
from benchmark.adb import client
from benchmark.adb.facts import Cluster, DeviceFacts, MachineFacts, processor_mask, read_facts
from benchmark.devices.adb_machine import FOLDER, AdbMachine, over_adb
from benchmark.devices.kind import Kind, Listed, Wish
from benchmark.devices.kinds.app import app_machine
from benchmark.devices.machine import Machine, Runner, RunRequest, file_flags, runner_flags
from benchmark.emulation.image import guest_image
from benchmark.errors import DeviceError
from benchmark.runner.build import runner_for
from benchmark.runner.output import RunnerOutput, Tensor, parse
from model.foundation.artifact import sha256_of
from model.foundation.cache import cache_folder
from model.foundation.errors import InputError

LITERT_RUNNER = Runner("litert_runner", f"LiteRT {wheels.LITERT_ARM64.requirement.split('==')[1]}")
ELF_MACHINES = {62: "x86_64", 183: "arm64-v8a", 40: "armeabi-v7a", 3: "x86"}
"""ELF e_machine -> Android ABI. Source: ELF specification, EM_X86_64, EM_AARCH64, EM_ARM, EM_386."""


@dataclass(frozen=True)
class Program:
    """Our C runner, built with a runtime for ARM.

    Attributes:
        runner: What it is.
        file: The executable.
        library: The runtime's library that it loads.
    """

    runner: Runner
    file: Path
    library: Path


class LinuxMachine(AdbMachine):
    """A Linux machine (an ARM board, the emulated guest): our C runner and its runtime are pushed."""

    silence_s = 300.0

    def __init__(self, device: client.AdbDevice, facts: MachineFacts, program: Program) -> None:
        super().__init__(device, facts)
        self._program = program

    @property
    def runner(self) -> Runner:
        return self._program.runner

    def run(self, request: RunRequest) -> RunnerOutput:
        program, model = self._prepared(request.model)
        scratch = f"{FOLDER}/run"
        self.device.check(f"rm -rf {scratch} && mkdir -p {scratch}")
        try:
            frames = None
            if request.frames is not None:
                frames = f"{scratch}/frames"
                self.device.push(request.frames, frames)
            outputs = None if request.outputs is None else scratch
            flags = file_flags(request, f"{scratch}/latencies", frames, outputs)
            command = [program, *runner_flags(request, model), *flags]
            text = self.run_program(command, "the runner", request)
            output = parse(text, f"{self.device.serial}: the runner")
            latencies = self.device.check(f"cat {scratch}/latencies")
            if request.outputs is not None:
                self._pull(output.outputs, scratch, request.outputs)
        finally:
            with suppress(DeviceError):
                self.device.remove(scratch)
        return replace(output, latencies_ns=tuple(int(line) for line in latencies.split()))

    def _prepared(self, model: Path) -> tuple[str, str]:
        """Push what is not there yet; the runner's and the model's path on the device."""
        target = f"{FOLDER}/{sha256_of(model)[:16]}.tflite"
        for file in (self._program.library, self._program.file):
            self.device.push(file, f"{FOLDER}/{file.name}")
        self.device.push(model, target)
        return f"{FOLDER}/{self._program.file.name}", target

    def _pull(self, tensors: Sequence[Tensor], scratch: str, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target) as temporary:
            for index in range(len(tensors)):
                self.device.pull(f"{scratch}/{index}.raw", Path(temporary) / f"{index}.raw")
            for path in Path(temporary).iterdir():
                path.rename(target / path.name)


def litert_program(folder: Path) -> Program:
    """The runner with LiteRT for ARM, whose libLiteRt.so is in `folder`."""
    return Program(LITERT_RUNNER, runner_for("arm64", folder), folder / "libLiteRt.so")


class BenchmarkModelMachine(AdbMachine):
    """An Android device with TensorFlow Lite's benchmark_model, whose binary the user provides.

    It keeps no single latencies: p90 and p99 stay unknown, and a sustained curve comes from runs of a
    minute each.
    """

    keeps_latencies = False

    def __init__(self, device: client.AdbDevice, facts: MachineFacts, binary: Path) -> None:
        """Check that the binary can run on the device.

        Raises:
            InputError: no such file, no program, or for another processor.
        """
        super().__init__(device, facts)
        self._binary = binary
        _require_abi(binary, facts)

    @property
    def runner(self) -> Runner:
        return Runner("benchmark_model", sha256=sha256_of(self._binary))

    def run(self, request: RunRequest) -> RunnerOutput:
        if request.frames is not None or request.outputs is not None:
            raise InputError("benchmark_model writes no outputs: use evaluate-phone for photographs")
        program, model = f"{FOLDER}/benchmark_model", f"{FOLDER}/{sha256_of(request.model)[:16]}.tflite"
        self.device.push(self._binary, program)
        self.device.push(request.model, model)
        command = [program, *runner_flags(request, model)]
        if request.processors:
            command = ["taskset", processor_mask(request.processors), *command]
        text = self.run_program(command, "benchmark_model", request)
        return parse(text, f"{self.device.serial}: benchmark_model")


def _require_abi(binary: Path, facts: MachineFacts) -> None:
    if not binary.is_file():
        raise InputError(f"no such benchmark_model: {binary}")
    header = binary.read_bytes()[:20]
    if header[:4] != b"\x7fELF":
        raise InputError(f"{binary} is no program for Android: expected an ELF file")
    abi = ELF_MACHINES.get(int.from_bytes(header[18:20], "little"), "unknown")
    abis = facts.details.get("abis") or ()
    if abis and abi not in abis:
        raise InputError(
            f"{binary} is for {abi}, the device runs {', '.join(abis)}: get benchmark_model for one of these"
        )


def _board(device: client.AdbDevice, facts: DeviceFacts) -> LinuxMachine:
    if "aarch64" not in facts.abis:
        abis = ", ".join(facts.abis) or "of unknown kind"
        raise InputError(f"{device.serial} is {abis}: the Linux runner is for aarch64")
    try:
        library = guest_image(fetch=False).library
    except InputError:
        library = wheels.unpacked(wheels.LITERT_ARM64, cache_folder() / "arm") / "ai_edge_litert"
    # Any Linux board with glibc 2.34 can load it.
    return LinuxMachine(device, facts.as_machine(device.serial), litert_program(library))


class Adb(Kind):
    """`--device adb[:SERIAL]`."""

    form = "adb[:SERIAL]"

    def require_name(self, name: str) -> None:
        """Only the adb server knows its devices."""

    def opened(self, name: str | None, wish: Wish) -> AbstractContextManager[Machine]:
        def build(device: client.AdbDevice, facts: DeviceFacts) -> AdbMachine:
            if not facts.is_android:
                return _board(device, facts)
            if wish.benchmark_model is None:
                return app_machine(device, facts, wish.photographs)
            return BenchmarkModelMachine(device, facts.as_machine(device.serial), wish.benchmark_model)

        return over_adb(name, build, keep_files=wish.keep_files)

    def listed(self) -> Sequence[Listed]:
        return [_listed(found) for found in client.listed_devices()]


def _listed(found: client.Listed) -> Listed:
    title, record = f"adb:{found.serial} ({found.state})", {"serial": found.serial, "state": found.state}
    try:
        facts = read_facts(client.choose(found.serial))
    except DeviceError as error:
        return Listed(title, {"problem": str(error)}, {**record, "problem": str(error)})
    heat = facts.thermal
    warmest = max(heat.celsius.items(), key=lambda item: item[1], default=None)
    rows = {
        "model": " ".join(filter(None, (facts.manufacturer, facts.model))) or None,
        "SoC": facts.soc,
        "ABI": ", ".join(facts.abis) or None,
        "Android": f"{facts.android} (SDK {facts.sdk})" if facts.android else None,
        "kernel": facts.kernel,
        "memory": f"{facts.memory_mb} MB" if facts.memory_mb else None,
        "thermal status": None if heat.status is None else str(heat.status),
        "warmest sensor": f"{warmest[1]:.1f} °C ({warmest[0]})" if warmest else None,
        "battery": _battery(facts),
        "screen": _screen(facts),
        **{f"cluster {cluster.name}": _cluster(cluster) for cluster in facts.clusters},
        "absent": ", ".join(facts.absent) or "nothing",
    }
    return Listed(title, rows, {**record, **facts.as_machine(found.serial).details})


def _cluster(cluster: Cluster) -> str:
    clock = "clock absent"
    if cluster.max_khz is not None:
        clock = f"{(cluster.min_khz or 0) / 1e6:.2f}-{cluster.max_khz / 1e6:.2f} GHz"
    return f"{len(cluster.processors)}x {cluster.core or 'unknown core'}, {clock}, mask {cluster.mask}"


def _battery(facts: DeviceFacts) -> str | None:
    battery = facts.battery
    if battery.percent is None:
        return None
    heat = "" if battery.celsius is None else f", {battery.celsius:.1f} °C"
    return f"{battery.percent} %{heat}{', charging' if battery.charging else ''}"


def _screen(facts: DeviceFacts) -> str | None:
    if facts.locked is None and facts.awake is None:
        return None
    awake = {True: "on", False: "off", None: "unknown"}[facts.awake]
    return f"{awake}{', locked' if facts.locked else ''}"


KIND = Adb()
