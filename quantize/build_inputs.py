"""What a build is made from, noted for `make`: another checkpoint's files are not overwritten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.foundation.artifact import sha256_of, write_text
from model.foundation.errors import InputError


@dataclass(frozen=True)
class Noted:
    """The files that a build was made from, as its stamp names them: a line "SHA256  PATH" each, as
    `sha256sum` writes and checks it; the network's own file first."""

    lines: tuple[str, ...]

    @classmethod
    def of(cls, files: Sequence[Path]) -> Noted:
        """The files as they are now."""
        return cls(tuple(f"{sha256_of(one)}  {one.resolve()}" for one in files))

    @classmethod
    def read(cls, stamp: Path) -> Noted:
        """What a stamp says; nothing if there is none."""
        return cls(tuple(stamp.read_text().splitlines()) if stamp.is_file() else ())

    @property
    def hashes(self) -> list[str]:
        """Of the files, in order."""
        return [line.partition("  ")[0] for line in self.lines]

    @property
    def source(self) -> str:
        """Where the network's own file stands; empty without one."""
        return self.lines[0].partition("  ")[2] if self.lines else ""


def note(found: Noted, stamp: Path, open_first: Callable[[], object]) -> None:
    """Write what was found if it is new.

    Raises:
        InputError: the stamp is of another file's build, or the new file cannot be opened at all.
    """
    known = Noted.read(stamp)
    if known.hashes == found.hashes:
        return
    if known.source not in ("", found.source):
        open_first()  # a file that is none of this network is the user's nearer mistake
        theirs, mine = Path(known.source), Path(found.source)
        raise InputError(
            f"{stamp.parent}_* are made from {theirs}, not from {mine}: call the new ones otherwise, "
            f"NAME={mine.stem}, or put them elsewhere, BUILD=folder"
        )
    write_text(stamp, "".join(f"{line}\n" for line in found.lines))
