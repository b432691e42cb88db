"""Where independent pieces of work are done: here, in processes of this machine, or on a Dask cluster.

A piece is a function of a module and its argument, both of which can be pickled. What it depends on (model,
photographs) is a file that every worker reaches under the same path; the piece itself holds the files' hashes
against those that it was given, so that a worker with another file says so instead of answering for it.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from socket import create_connection
from typing import TypeVar

from model.foundation.artifact import sha256_of_all
from model.foundation.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

CLUSTER = "dask://"


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes:
        processes: Of this machine; 1 is this process itself.
        cluster: Address of a Dask scheduler, `dask://host:port`, instead.
    """

    processes: int = 1
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.cluster is not None and not self.cluster.startswith(CLUSTER):
            raise InputError(f"--executor: expected {CLUSTER}host:port, found {self.cluster}")

    def each(self, work: Callable[[T], R], pieces: Sequence[T]) -> Iterator[tuple[T, R]]:
        """Do all pieces; yields each with its result as soon as it is there, in any order.

        Raises:
            InputError: a piece raised it, the cluster cannot be reached, or a process died.
        """
        if self.cluster is None and min(self.processes, len(pieces)) <= 1:
            yield from ((piece, work(piece)) for piece in pieces)
            return
        with self._executor() as executor:
            waiting = {executor.submit(_checked, _code(), work, piece): piece for piece in pieces}
            try:
                for done in as_completed(waiting):
                    yield waiting[done], done.result()
            except BrokenProcessPool:
                raise InputError(
                    "a process died (out of memory?); what it finished is kept: use fewer --processes"
                ) from None

    @contextmanager
    def _executor(self) -> Iterator[Executor]:
        if self.cluster is not None:
            with _dask(self.cluster) as executor:
                yield executor
            return
        # spawn: the runtimes' own threads do not survive a fork
        pool = ProcessPoolExecutor(self.processes, get_context("spawn"), initializer=_leave_ctrl_c)
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


ALONE = Workers()
"""This process does everything."""


@dataclass(frozen=True)
class Shard:
    """One of several parts of a work, for machines that know nothing of each other.

    Attributes:
        number, of: This part, from 1, and how many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From "2/5".

        Raises:
            InputError: it is no such part.
        """
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise InputError(f"--shard: expected i/n with i from 1 to n, e.g. 2/5, found {text}")
        return cls(int(number), int(count))

    def part(self, pieces: Sequence[T]) -> list[T]:
        """Every n-th piece, beginning with the i-th."""
        return list(pieces[self.number - 1 :: self.of])


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks(pieces: Sequence[T], workers: Workers) -> list[list[T]]:
    """Pieces in groups of 8 at most, four groups or more for each process."""
    size = max(1, min(8, len(pieces) // (4 * workers.processes)))
    return [list(pieces[start : start + size]) for start in range(0, len(pieces), size)]


def _leave_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends the parent, which ends the pool


def _checked(code: str, work: Callable[[T], R], piece: T) -> R:
    if _code() != code:
        raise InputError("a worker has another version of this program: install the same one everywhere")
    return work(piece)


@cache
def _code() -> str:
    """Hash of this program's source files."""
    packages = Path(__file__).parents[2]
    names = ("model", "calibration_data", "convert", "quantize", "benchmark")
    return sha256_of_all(path for name in names for path in (packages / name).rglob("*.py"))


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.ERROR)  # a lost worker's piece is done again
    where = address.removeprefix(CLUSTER)
    host, _, port = where.rpartition(":")
    try:
        create_connection(
            (host, int(port)), timeout=10
        ).close()  # Client itself goes on trying where it is refused
        client = Client(f"tcp://{where}", timeout=10)
    except (OSError, TimeoutError, ValueError):
        raise InputError(f"no Dask scheduler answers at {where}; start one with: dask scheduler") from None
    with client:
        yield client.get_executor(pure=False)
