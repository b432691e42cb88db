"""What a user sees of long steps: one line each, with its time; the tools' own chatter is kept aside."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.text import Text

from model.foundation.errors import GateError, InputError

T = TypeVar("T")


def progress_console(screen: IO[str] | None = None) -> Console:
    """Where progress is shown: standard error, or this file; a spinner or a bar only where it is a terminal.

    Never a notebook's display: that wants a package for its bars, and flushes the streams that rich has put
    itself in front of, for ever.
    """
    screen = screen or sys.stderr
    return Console(file=screen, force_jupyter=False, force_terminal=screen.isatty())


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show `title` with a spinner while the block runs and its time when it ends.

    Whatever the block's libraries write to standard output or error, from C++ too, is held back and
    only shown if the block fails.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    started = time.monotonic()
    with os.fdopen(os.dup(2), "w") as screen, tempfile.TemporaryFile("w+") as chatter:
        console = progress_console(screen)
        os.dup2(chatter.fileno(), 1)
        os.dup2(chatter.fileno(), 2)
        try:
            # In a notebook Python's own streams are not the process's.
            with console.status(Text(title)), redirect_stdout(chatter), redirect_stderr(chatter):
                yield
        except (InputError, GateError, OSError):
            raise  # said in one line by the command line; the tools' chatter would drown it
        except Exception:
            _restore(kept)
            chatter.seek(0)
            console.print(Text.assemble(("failed", "red"), f"  {title}"))
            console.print(chatter.read()[-4000:], markup=False, highlight=False)
            raise
        finally:
            _restore(kept)
        lasted = (f"{time.monotonic() - started:.1f} s", "dim")
        console.print(Text.assemble(("done", "green"), f"  {title}  ", lasted))


@contextmanager
def passing(title: str) -> Iterator[None]:
    """Show `title` with a spinner on a terminal while the block runs, and nothing when it ends.

    For seconds in which libraries are loaded: they are no step of the work, but silence looks like a hang.
    """
    with progress_console().status(Text(title)):
        yield


def tracked(
    work: Iterable[T], title: str, total: float | None = None, *, transient: bool = False
) -> Iterable[T]:
    """Walk over work beside a bar."""
    return track(work, escape(title), total, console=progress_console(), transient=transient)


@contextmanager
def chatter_aside() -> Iterator[None]:
    """Keep what C++ libraries write to standard error while the block runs off the terminal.

    For calls whose failure is an exception that says why: what they print besides helps nobody.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def _restore(kept: tuple[int, int]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(kept[0], 1)
    os.dup2(kept[1], 2)
