"""Work that is shared: by processes, shards, a Dask cluster; the same results as alone, to the last byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import pytest

from benchmark.front_door import main
from model.foundation.errors import InputError
from model.foundation.journal import Journal, merge
from model.foundation.workers import Shard, Workers, chunks
from tests.conftest import ROOT, Converted


def square(value: int) -> int:
    return value * value


def refuse(value: int) -> int:
    raise InputError(f"{value} is odd")


def die(value: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return value


@pytest.mark.parametrize("processes", [1, 2])
def test_every_piece_is_done_once(processes: int) -> None:
    assert sorted(Workers(processes).each(square, [3, 1, 2])) == [(1, 1), (2, 4), (3, 9)]


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_piece_refuses_is_said(processes: int) -> None:
    with pytest.raises(InputError, match="is odd"):
        list(Workers(processes).each(refuse, [3, 5]))


def test_a_process_that_dies_is_one_line() -> None:
    with pytest.raises(InputError, match="a process died"):
        list(Workers(2).each(die, [1, 2]))


def test_shards_are_the_whole() -> None:
    pieces = list(range(11))
    parts = [Shard.parse(f"{i}/3").part(pieces) for i in (1, 2, 3)]
    assert sorted(chain(*parts)) == pieces
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2", ""])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected i/n"):
        Shard.parse(text)


def test_chunks_lose_nothing() -> None:
    pieces = list(range(50))
    found = chunks(pieces, Workers(2))
    assert list(chain(*found)) == pieces
    assert max(map(len, found)) <= 8


def test_an_executor_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="expected dask://host:port, found localhost"):
        Workers(1, "localhost")
    with pytest.raises(InputError, match="no Dask scheduler answers at 127.0.0.1:1;"):
        list(Workers(1, "dask://127.0.0.1:1").each(square, [1]))


def test_merging_keeps_what_is_there_and_refuses_contradictions(tmp_path: Path) -> None:
    one, other = (Journal(tmp_path / name / "a.jsonl", int) for name in ("one", "other"))
    one.add("x", 1)
    other.add("x", 1)
    other.add("y", 2)
    into = tmp_path / "into"
    assert merge([tmp_path / "one", tmp_path / "other" / "a.jsonl"], into) == {into / "a.jsonl": 2}
    assert dict(Journal(into / "a.jsonl", int)) == {"x": 1, "y": 2}
    other.add("x", 3)
    with pytest.raises(InputError, match="say different things of x"):
        merge([tmp_path / "other"], into)
    with pytest.raises(InputError, match="no finished work"):
        merge([tmp_path], into)


def evaluation(converted: Converted, demo_set: Path, *more: str | Path) -> list[str]:
    half = demo_set / "evaluation"
    command = ["evaluate", "--model", converted.float32, "--images", half / "images", "--quiet"]
    return [str(part) for part in (*command, "--labels", half / "label.txt", *more)]


def test_two_shards_merged_are_the_whole_run(
    converted: Converted, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = ("--limit", "9", "--processes", "1")
    for part in ("1/2", "2/2"):
        cache = tmp_path / part[0]
        assert main(evaluation(converted, demo_set, *some, "--shard", part, "--cache", cache)) == 0
    assert "shard 2/2, 4 of 9 images kept" in capsys.readouterr().out
    assert main(["merge", str(tmp_path / "1"), str(tmp_path / "2"), "--into", str(tmp_path / "all")]) == 0
    (whole,) = (tmp_path / "all").glob("*.jsonl")
    before = whole.read_bytes()
    merged, alone = tmp_path / "merged.json", tmp_path / "alone.json"
    assert main(evaluation(converted, demo_set, *some, "--cache", tmp_path / "all", "--json", merged)) == 0
    assert whole.read_bytes() == before, "nothing was left to do"
    assert main(evaluation(converted, demo_set, *some, "--cache", tmp_path / "none", "--json", alone)) == 0
    assert merged.read_bytes() == alone.read_bytes()


@contextmanager
def _started(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    started = [sys.executable, "-m", "distributed.cli." + command[0], *command[1:]]
    with subprocess.Popen(started, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_while_a_worker_is_killed(
    converted: Converted, demo_set: Path, tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    alone, shared = tmp_path / "alone.json", tmp_path / "shared.json"
    assert (
        main(evaluation(converted, demo_set, "--processes", "1", "--cache", tmp_path / "a", "--json", alone))
        == 0
    )
    contact, folder = tmp_path / "scheduler.json", str(tmp_path / "space")
    at_home = ("--host", "127.0.0.1", "--scheduler-file", str(contact))
    with ExitStack() as stack:
        stack.enter_context(_started("dask_scheduler", *at_home, "--port", "0", "--no-dashboard"))
        _until(contact.is_file)
        from distributed import Client

        client = stack.enter_context(Client(scheduler_file=str(contact)))
        once = ("--scheduler-file", str(contact), "--nthreads", "1", "--no-dashboard", "--no-nanny")
        workers = [
            stack.enter_context(_started("dask_worker", *once, "--local-directory", folder)) for _ in range(2)
        ]
        client.wait_for_workers(2, timeout=60)
        address = client.scheduler.address.replace("tcp://", "dask://")
        command = evaluation(converted, demo_set, "--executor", address, "--cache", tmp_path / "c")
        run = stack.enter_context(
            subprocess.Popen([sys.executable, "-m", "benchmark", *command, "--json", str(shared)], cwd=ROOT)
        )
        _until(lambda: any(file.stat().st_size for file in (tmp_path / "c").glob("*.jsonl")))
        workers[0].kill()
        assert run.wait(timeout=120) == 0
    assert shared.read_bytes() == alone.read_bytes()


def _until(there, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)
