"""A command in a forked child: a crash, a hang or a kill ends the child alone, and one import serves all."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LIMIT_S, LIMIT_CPU_S = 900, 60
"""A command that lasts longer hangs. They compute for a second or two, however busy the machine is."""
MOST_MEMORY = 12 << 30
"""Bytes of address space of a child: a hostile size must not take the machine along."""
BUG = 70
"""Exit code of a child that an exception ended."""


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
    """Run `work` in a forked child.

    Args:
        work: Its result is the exit code.
        folder: Where it runs.
        limit_s: The child and all it started are killed after that, as a hang.
        kill_after_s: They are killed (-9) after that, as somebody might.
    """
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
