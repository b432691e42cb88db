"""A command in a forked child: a crash, a hang or a kill ends the child alone, and one import serves all.

The children are forked by a server, a Python that has imported what commands need and computed nothing: a
fork of the tests' own process would inherit locks of thread pools whose threads it has not.
"""

from __future__ import annotations

import importlib
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cloudpickle

from tests.conftest import ROOT

LIMIT_S, LIMIT_CPU_S = 900, 60
"""A command that lasts longer hangs. They compute for a second or two, however busy the machine is."""
MOST_MEMORY = 12 << 30
"""Bytes of address space of a child: a hostile size must not take the machine along."""
BUG = 70
"""Exit code of a child that an exception ended."""


PRELOADED = (
    "benchmark.accuracy.detect", "benchmark.accuracy.drift", "benchmark.accuracy.evaluation",
    "benchmark.accuracy.tables", "benchmark.devices.commands", "benchmark.devices.kinds.host",
    "benchmark.devices.method", "benchmark.devices.tables", "benchmark.prediction.commands",
    "benchmark.report.build", "benchmark.report.made_files", "benchmark.report.gate", "convert.conversion",
    "convert.doors.guess", "model.foundation.command_line.pictures",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "model.training.commands", "model.training.loop", "model.training.plots", "model.training.student",
    "quantize.apply.steps", "quantize.calibrate.commands", "quantize.inspect.audit_page",
    "quantize.inspect.compare_page", "quantize.inspect.lint.linting", "quantize.qat.steps",
    "quantize.tune.plots", "quantize.tune.search", "quantize.tune.tables", "rich.progress",
    "ai_edge_quantizer", "onnxruntime",
)  # fmt: skip
"""What a command imports when it runs: once in the server, not once in each child."""


@dataclass(frozen=True)
class Ending:
    """How a child ended.

    Attributes:
        code: Exit code; None where a signal or the limit ended it.
        signal: That ended it; 0 where none did.
        said: All it wrote to standard output and error.
        seconds: It lasted.
        cpu_s: Of processors that it took, what it started aside.
    """

    code: int | None
    signal: int
    said: str
    seconds: float
    cpu_s: float

    @property
    def fault(self) -> str | None:
        """What is wrong with such an ending: a traceback, a crash, a hang, a refusal of other than a line."""
        if self.code is None:
            return "hang" if self.signal in (0, signal.SIGXCPU) else f"signal {self.signal}"
        if self.code not in (0, 1, 2) or "Traceback" in self.said:
            return "traceback"
        errors = [line for line in self.said.splitlines() if line.startswith("error: ")]
        if self.code == 2 and (len(errors) != 1 or len(errors[0]) < 20):
            return "no line"
        return None


def run_child(
    work: Callable[[], int], folder: Path, limit_s: float = LIMIT_S, kill_after_s: float | None = None
) -> Ending:
    """Run `work` in a forked child of the server.

    Args:
        work: Its result is the exit code.
        folder: Where it runs.
        limit_s: The child and all it started are killed after that, as a hang.
        kill_after_s: They are killed (-9) after that, as somebody might.
    """
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    cloudpickle.dump((work, folder, limit_s, kill_after_s), server.stdin)
    server.stdin.flush()
    ending: Ending = pickle.load(server.stdout)  # noqa: S301 - what this program's own server answers
    return ending


@cache
def _server() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from tests.attack.child import serve; serve()"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def serve() -> None:
    """Fork children for the tests, which write work to standard input, until that is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing but answers there
    for module in PRELOADED:
        importlib.import_module(module)
    while True:
        try:
            asked = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the tests
        except EOFError:
            return
        pickle.dump(_forked(*asked), answers)
        answers.flush()


def _forked(work: Callable[[], int], folder: Path, limit_s: float, kill_after_s: float | None) -> Ending:
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _inside(work, folder, said.fileno())
        handle = os.pidfd_open(child)
        try:
            over = select.select([handle], [], [], kill_after_s or limit_s)[0]
            if not over:
                _kill_group(child)
            _, status, used = os.wait4(child, 0)
        finally:
            os.close(handle)
        _kill_group(child)  # what a command leaves running
        seconds, cpu_s = time.monotonic() - started, used.ru_utime + used.ru_stime
        said.seek(0)
        text = said.read()
    if not over and kill_after_s is None:
        return Ending(None, 0, text, seconds, cpu_s)
    code = os.waitstatus_to_exitcode(status)
    return Ending(code if code >= 0 else None, max(0, -code), text, seconds, cpu_s)


def _inside(work: Callable[[], int], folder: Path, said: int) -> None:
    code = BUG
    try:
        os.setsid()
        os.chdir(folder)
        with open(os.devnull) as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (used_cpu_s() + LIMIT_CPU_S, -1))
        code = work()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else BUG
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def used_cpu_s() -> int:
    return int(sum(os.times()[:2]))


def _kill_group(child: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
