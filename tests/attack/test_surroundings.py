"""No room, no right to write, no home, a strange path, somebody else at the same work: a line at most, and
nothing lost."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.attack import world as worlds
from tests.attack.child import run_child
from tests.attack.conftest import share
from tests.attack.test_damaged_inputs import copied, harmed, hashes
from tests.attack.test_kills import WORKS, Work, contents, fresh
from tests.attack.world import RECIPE_OF_THE_WORLD

pytestmark = pytest.mark.slow

BIGGEST = 40_000
"""Bytes of a file that a full disk still takes, at most; the first files of a command do not fit then."""
MADE = ("cache", "report", "predictions", "qat", "run")


def tried(commands: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """So many of the commands as are asked for, evenly."""
    places = np.linspace(0, len(commands) - 1, max(2, round(len(commands) * share())))
    return [commands[int(place)] for place in places]


of_the_world = pytest.mark.parametrize("command", tried(RECIPE_OF_THE_WORLD), ids=lambda command: command[0])


def fresh_copy(world: Path, folder: Path, command: Sequence[str]) -> dict[str, str]:
    """A copy of what a command reads, without folders that it makes; and the hashes of its files."""
    copied(world, folder, command)
    for made in MADE:
        shutil.rmtree(folder / made, ignore_errors=True)
    return hashes(folder)


@of_the_world
def test_a_full_disk_is_a_line(command: Sequence[str], world: Path, tmp_path: Path) -> None:
    """Each file may have a few bytes only, which is how a full disk looks to who writes."""
    rng = np.random.default_rng(len(command))
    for number in range(max(1, round(6 * share()))):
        folder, room = tmp_path / str(number), int(rng.integers(4096, BIGGEST))
        before = fresh_copy(world, folder, command)

        def full(room: int = room) -> int:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
            return worlds.quickly(command)

        ending = run_child(full, folder)
        assert ending.fault is None, ending.said
        assert harmed(folder, before, None) is None
        assert ending.code == 0 or "File too large" in ending.said, ending.said
        again = worlds.run(command, folder)
        assert again.code == 0, again.said


@of_the_world
def test_a_folder_that_nobody_may_write(command: Sequence[str], world: Path, tmp_path: Path) -> None:
    before = fresh_copy(world, tmp_path / "locked", command)
    (tmp_path / "locked").chmod(0o555)

    def locked() -> int:
        _give_up_rights()
        return worlds.quickly(command)

    ending = run_child(locked, tmp_path / "locked")
    (tmp_path / "locked").chmod(0o755)
    assert ending.fault is None and ending.code == 2, ending.said
    assert "Permission denied" in ending.said, ending.said
    assert hashes(tmp_path / "locked") == before


def _give_up_rights() -> None:
    """Root may write everywhere; without its capabilities it is like everybody."""
    if os.geteuid() == 0:
        version, everything_off = 0x20080522, bytes(24)
        ctypes.CDLL(None).capset(struct.pack("Ii", version, 0), everything_off)


def _no_home() -> None:
    _give_up_rights()
    os.environ.update(HOME="/proc/nowhere", XDG_CACHE_HOME="/proc/nowhere")


def _no_temporary_files() -> None:
    tempfile.tempdir = "/proc/nowhere"


def _another_alphabet() -> None:
    sys.stdout.reconfigure(encoding="ascii", errors="strict")  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding="ascii", errors="strict")  # type: ignore[union-attr]


@of_the_world
@pytest.mark.parametrize(
    ("change", "codes"),
    [(_no_home, (0, 2)), (_no_temporary_files, (0, 2)), (_another_alphabet, (0,))],
    ids=["no home", "no room in /tmp", "ASCII"],
)
def test_a_poor_computer(
    change: Callable[[], None], codes: Sequence[int], command: Sequence[str], world: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder (1) é"
    before = fresh_copy(world, folder, command)

    def poor() -> int:
        change()
        return worlds.quickly(command)

    ending = run_child(poor, folder)
    assert ending.fault is None and ending.code in codes, ending.said
    assert harmed(folder, before, ending.code) is None


@pytest.mark.parametrize("work", tried(WORKS[:-1]), ids=lambda work: work.name)  # type: ignore[arg-type]
def test_two_at_the_same_work_in_one_folder(work: Work, world: Path, tmp_path: Path) -> None:
    fresh(work, world, tmp_path / "alone")
    assert work.run(tmp_path / "alone").code == 0
    folder = tmp_path / "together"
    fresh(work, world, folder)

    def together() -> int:
        other = os.fork()
        code = worlds.quickly(work.command)
        if other == 0:
            os._exit(code)
        return code or os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])

    ending = run_child(together, folder)
    assert ending.code == 0, ending.said
    assert contents(work, folder) == contents(work, tmp_path / "alone")
