"""Emulated arm64 cores that run the app's own TensorFlow Lite, out of the APK that `make android` built.

Not LiteRT: what the app costs on a phone is counted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmark.devices.kind import Wish
from benchmark.devices.kinds.adb import Program
from benchmark.devices.kinds.arm64 import Arm64, Arm64Machine
from benchmark.devices.machine import Machine, Runner
from benchmark.emulation.app_runtime import APK, AppRuntime, app_runtime
from benchmark.emulation.guest import CORES
from benchmark.runner.build import app_runner


class Arm64AppMachine(Arm64Machine):
    """An emulated core with the app's runtime."""

    word = "arm64-app"

    def __init__(self, core: str, counting: bool, stack: ExitStack, runtime: AppRuntime) -> None:
        super().__init__(core, counting, stack)
        self._runtime = runtime

    @property
    def runner(self) -> Runner:
        return Runner("app_runner", f"TensorFlow Lite {self._runtime.version}", sha256=self._runtime.sha256)

    def program(self) -> Program:
        library = self._runtime.library
        return Program(self.runner, app_runner(library.parent), library)


class Arm64App(Arm64):
    """`--device arm64-app[:CORE]`."""

    form = "arm64-app[:CORE]"
    always = ("arm64-app:CORE (after `make android`)",)

    @contextmanager
    def opened(self, name: str | None, wish: Wish) -> Iterator[Machine]:
        with ExitStack() as stack:
            yield Arm64AppMachine(name or CORES[0], wish.counting, stack, app_runtime(APK))


KIND = Arm64App()
