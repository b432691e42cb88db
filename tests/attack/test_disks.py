"""Where there is no room, no right to write, or somebody else at the same work: a line, and nothing lost."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Sequence
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

NOBODY = 65534
BIGGEST = 40_000
"""Bytes of a file that a full disk still takes, at most; the first files of a command do not fit then."""


def tried(commands: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """So many of the commands as are asked for, evenly."""
    return [
        commands[int(place)]
        for place in np.linspace(0, len(commands) - 1, max(2, round(len(commands) * share())))
    ]


@pytest.mark.parametrize("command", tried(RECIPE_OF_THE_WORLD), ids=lambda command: command[0])
def test_a_full_disk_is_a_line(command: Sequence[str], world: Path, tmp_path: Path) -> None:
    """Each file may have a few bytes only, which is how a full disk looks to who writes."""
    rng = np.random.default_rng(len(command))
    for number in range(max(1, round(6 * share()))):
        folder = tmp_path / str(number)
        copied(world, folder, command)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        for made in ("qat", "run"):
            (folder / made / "state.pt").unlink(missing_ok=True)
        before, room = hashes(folder), int(rng.integers(4096, BIGGEST))

        def full(room: int = room) -> int:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
            return worlds.quickly(command)

        ending = run_child(full, folder)
        assert ending.fault is None, ending.said
        assert harmed(folder, before, None) is None
        if ending.code == 2:
            assert "File too large" in ending.said or "full" in ending.said, ending.said
        assert worlds.run(command, folder).code == 0


@pytest.mark.parametrize("command", tried(RECIPE_OF_THE_WORLD), ids=lambda command: command[0])
def test_a_folder_that_nobody_may_write_is_a_line(
    command: Sequence[str], world: Path, tmp_path: Path
) -> None:
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    folder = tmp_path / "locked"
    copied(world, folder, command)
    for made in ("cache", "report", "predictions", "qat", "run"):
        shutil.rmtree(folder / made, ignore_errors=True)
    before = hashes(folder)
    folder.chmod(0o555)

    def locked() -> int:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        os.environ["HOME"] = "/nowhere"
        return worlds.quickly(command)

    ending = run_child(locked, folder)
    folder.chmod(0o755)
    assert ending.fault is None, ending.said
    assert ending.code == 0 or "Permission denied" in ending.said, ending.said
    assert hashes(folder) == before


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
