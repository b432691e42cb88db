"""This computer: the C runner on LiteRT's library, so that its figures compare with other machines'."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmark.devices import runner_output
from benchmark.devices.compile import runner_for
from benchmark.devices.errors import DeviceError, DeviceTimeoutError
from benchmark.devices.machine import Machine, MachineFacts, RunRequest, runner_flags
from benchmark.devices.runner_output import RunnerOutput
from model.foundation.errors import InputError

GRACE_S = 120.0
"""Time beyond a run's own limit for loading the model and writing outputs."""


def host_library() -> Path:
    """The folder of the installed LiteRT's libLiteRt.so.

    Raises:
        InputError: ai-edge-litert is not installed or carries no such library.
    """
    found = importlib.util.find_spec("ai_edge_litert")
    folder = Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None
    if folder is None or not (folder / "libLiteRt.so").is_file():
        raise InputError(
            "the host runner needs ai-edge-litert with libLiteRt.so: install the project's dependencies"
        )
    return folder


class HostMachine(Machine):
    """Runs models on this computer. Its timings say nothing about a phone."""

    def __init__(self) -> None:
        self._library = host_library()
        self._runner = runner_for("host", self._library)

    @property
    def facts(self) -> MachineFacts:
        details = {
            "processor": _processor_name(),
            "architecture": platform.machine(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.release()}",
        }
        return MachineFacts("host", "host", platform.node(), details)

    @property
    def runner(self) -> dict[str, str]:
        return {"name": "litert_runner", "runtime": f"LiteRT {version('ai-edge-litert')}"}

    def run(self, request: RunRequest) -> RunnerOutput:
        with tempfile.TemporaryDirectory() as folder:
            latencies = Path(folder) / "latencies"
            command = [
                str(self._runner),
                *runner_flags(request, str(request.model)),
                f"--latencies_file={latencies}",
            ]
            if request.processors:
                command.append("--cpus=" + ",".join(str(number) for number in request.processors))
            if request.frames is not None:
                command.append(f"--input_file={request.frames}")
            if request.outputs is not None:
                request.outputs.mkdir(parents=True, exist_ok=True)
                command.append(f"--output_dir={request.outputs}")
            text = self._text_of(command, request.max_seconds * 2 + GRACE_S)
            timed = tuple(int(line) for line in latencies.read_text().split())
        return replace(runner_output.parse(text, "the runner"), latencies_ns=timed)

    def _text_of(self, command: list[str], timeout_s: float) -> str:
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self._library)}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=timeout_s, env=environment
            )
        except subprocess.TimeoutExpired:
            raise DeviceTimeoutError(
                f"the runner did not end within {timeout_s:.0f} s on this host"
            ) from None
        if done.returncode != 0:
            raise DeviceError(f"the runner failed on this host: {runner_output.last_error(done.stderr)}")
        return done.stdout + done.stderr


def _processor_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)
