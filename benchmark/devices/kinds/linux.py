"""A Linux machine behind adb (an ARM board, the emulated guest): our C runner and LiteRT's library."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.devices import runner_output
from benchmark.devices.adb import AdbDevice
from benchmark.devices.errors import DeviceError
from benchmark.devices.machine import Machine, MachineFacts, RunRequest, runner_flags
from benchmark.devices.remote import run_to_end
from benchmark.devices.runner_output import RunnerOutput, Tensor
from benchmark.emulation import wheels
from model.foundation.artifact import sha256_of

FOLDER = "/data/local/tmp/featherface"
"""The one folder that we use on a device; removed at the end."""


class LinuxMachine(Machine):
    """Pushes the runner, LiteRT and the models, runs them there and pulls the outputs.

    Attributes:
        device: The device.
        silence_s: Longest wait for one run beyond its own limit, in seconds.
    """

    def __init__(
        self,
        device: AdbDevice,
        facts: MachineFacts,
        runner: Path,
        library: Path,
        *,
        silence_s: float = 300.0,
        launcher: Sequence[str] = (),
    ) -> None:
        self.device = device
        self.silence_s = silence_s
        self._facts = facts
        self._runner = runner
        self._library = library
        self._launcher = launcher

    @property
    def facts(self) -> MachineFacts:
        return self._facts

    @property
    def runner(self) -> dict[str, str]:
        runtime = wheels.LITERT_ARM64.requirement.split("==")[1]
        return {"name": "litert_runner", "runtime": f"LiteRT {runtime}"}

    def run(self, request: RunRequest) -> RunnerOutput:
        program, model = self._prepared(request.model)
        scratch = f"{FOLDER}/run"
        self.device.check(f"rm -rf {scratch} && mkdir -p {scratch}")
        try:
            flags = [*runner_flags(request, model), f"--latencies_file={scratch}/latencies"]
            if request.processors:
                flags.append("--cpus=" + ",".join(str(number) for number in request.processors))
            if request.frames is not None:
                self.device.push(request.frames, f"{scratch}/frames")
                flags.append(f"--input_file={scratch}/frames")
            if request.outputs is not None:
                flags.append(f"--output_dir={scratch}")
            text = self._text_of([*self._launcher, program, *flags], request)
            output = runner_output.parse(text, f"{self.device.serial}: the runner")
            latencies = self.device.check(f"cat {scratch}/latencies")
            if request.outputs is not None:
                self._pull(output.outputs, scratch, request.outputs)
        finally:
            with suppress(DeviceError):
                self.device.remove(scratch)
        return replace(output, latencies_ns=tuple(int(line) for line in latencies.split()))

    def close(self) -> None:
        """Remove everything of ours from the device."""
        self.device.remove(FOLDER)

    def _prepared(self, model: Path) -> tuple[str, str]:
        """Push what is not there yet; the runner's and the model's path on the device."""
        program, target = f"{FOLDER}/litert_runner", f"{FOLDER}/{sha256_of(model)[:16]}.tflite"
        self.device.push(self._library / "libLiteRt.so", f"{FOLDER}/libLiteRt.so")
        self.device.push(self._runner, program)
        self.device.push(model, target)
        return program, target

    def _text_of(self, command: list[str], request: RunRequest) -> str:
        limit = request.max_seconds * 2 + self.silence_s
        done = run_to_end(self.device, command, f"{FOLDER}/run/pid", limit)
        if done.exit_code != 0:
            raise DeviceError(
                f"{self.device.serial}: the runner failed: {runner_output.last_error(done.stdout)}"
            )
        return done.stdout

    def _pull(self, tensors: Sequence[Tensor], scratch: str, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target) as temporary:
            for index in range(len(tensors)):
                self.device.pull(f"{scratch}/{index}.raw", Path(temporary) / f"{index}.raw")
            for path in Path(temporary).iterdir():
                path.rename(target / path.name)
