"""This computer: the C runner on LiteRT's library, so that its figures compare with other machines'."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from benchmark.adb.facts import MachineFacts
from benchmark.devices.kind import Kind, Wish
from benchmark.devices.machine import Machine, Runner, RunRequest, run_on_these_files
from benchmark.errors import DeviceError, DeviceTimeoutError
from benchmark.runner.build import runner_for
from benchmark.runner.output import RunnerOutput, last_error
from model.foundation.errors import InputError

GRACE_S = 120.0
"""Time beyond a run's own limit for loading the model and writing outputs."""


class HostMachine(Machine):
    """Runs models on this computer. Its timings say nothing about a phone."""

    def __init__(self) -> None:
        self._library = _library()
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
    def runner(self) -> Runner:
        return Runner("litert_runner", f"LiteRT {version('ai-edge-litert')}")

    def run(self, request: RunRequest) -> RunnerOutput:
        timeout_s = request.max_seconds * 2 + GRACE_S
        return run_on_these_files(request, "the runner", lambda flags: self._launch(flags, timeout_s))

    def _launch(self, flags: list[str], timeout_s: float) -> str:
        command = [str(self._runner), *flags]
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
            raise DeviceError(f"the runner failed on this host: {last_error(done.stderr)}")
        return done.stdout + done.stderr


def _library() -> Path:
    """The folder of the installed LiteRT's libLiteRt.so."""
    found = importlib.util.find_spec("ai_edge_litert")
    folder = Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None
    if folder is None or not (folder / "libLiteRt.so").is_file():
        raise InputError(
            "the host runner needs ai-edge-litert with libLiteRt.so: install the project's dependencies"
        )
    return folder


def _processor_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)


class Host(Kind):
    """`--device host`."""

    form = "host"
    always = ("host",)

    @contextmanager
    def opened(self, name: str | None, wish: Wish) -> Iterator[Machine]:
        del name, wish  # there is one host, and it needs nothing
        yield HostMachine()


KIND = Host()
