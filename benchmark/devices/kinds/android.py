"""An Android device with TensorFlow Lite's benchmark_model, whose binary the user provides."""

from __future__ import annotations

from pathlib import Path

from benchmark.devices import runner_output
from benchmark.devices.adb import AdbDevice
from benchmark.devices.errors import DeviceError
from benchmark.devices.kinds.linux import FOLDER
from benchmark.devices.machine import Machine, MachineFacts, RunRequest, runner_flags
from benchmark.devices.remote import run_to_end
from benchmark.devices.runner_output import RunnerOutput
from model.foundation.artifact import sha256_of
from model.foundation.errors import InputError

ELF_MACHINES = {62: "x86_64", 183: "arm64-v8a", 40: "armeabi-v7a", 3: "x86"}
"""ELF e_machine -> Android ABI. Source: ELF specification, EM_X86_64, EM_AARCH64, EM_ARM, EM_386."""


class BenchmarkModelMachine(Machine):
    """Pushes benchmark_model and the models, and reads what it prints.

    It keeps no single latencies: p90 and p99 stay unknown, and a sustained curve comes from runs of a
    minute each.
    """

    def __init__(
        self, device: AdbDevice, facts: MachineFacts, binary: Path, silence_s: float = 120.0
    ) -> None:
        """Check that the binary can run on the device.

        Raises:
            InputError: no such file, no program, or for another processor.
        """
        self.device = device
        self.silence_s = silence_s
        self._facts = facts
        self._binary = binary
        _require_abi(binary, facts)

    @property
    def facts(self) -> MachineFacts:
        return self._facts

    @property
    def runner(self) -> dict[str, str]:
        return {"name": "benchmark_model", "sha256": sha256_of(self._binary)}

    def run(self, request: RunRequest) -> RunnerOutput:
        if request.frames is not None or request.outputs is not None:
            raise InputError("benchmark_model writes no outputs: use --runner app for photographs on a phone")
        program, model = f"{FOLDER}/benchmark_model", f"{FOLDER}/{sha256_of(request.model)[:16]}.tflite"
        self.device.push(self._binary, program)
        self.device.push(request.model, model)
        command = [program, *runner_flags(request, model)]
        if request.processors:
            mask = sum(1 << number for number in request.processors)
            command = ["taskset", f"{mask:x}", *command]
        text = self._text_of(command, request)
        return runner_output.parse(text, f"{self.device.serial}: benchmark_model")

    def close(self) -> None:
        """Remove everything of ours from the device."""
        self.device.remove(FOLDER)

    def _text_of(self, command: list[str], request: RunRequest) -> str:
        limit = request.max_seconds * 2 + self.silence_s
        done = run_to_end(self.device, command, f"{FOLDER}/pid", limit)
        if done.exit_code != 0:
            reason = runner_output.last_error(done.stdout)
            raise DeviceError(f"{self.device.serial}: benchmark_model failed ({done.exit_code}): {reason}")
        return done.stdout


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
