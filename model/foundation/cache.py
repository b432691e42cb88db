"""Where downloads and built programs are kept between runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """The project's folder in the user's cache: `$XDG_CACHE_HOME/featherface-mobile`, not created here."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "featherface-mobile"


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder` that becomes `folder` when the block ends without an error.

    Another process that finishes first wins: its folder stays and this one's work is dropped.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if not folder.exists():
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
