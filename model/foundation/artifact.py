"""Files that a step makes: written whole or not at all, each with a JSON record of its origin beside it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from model.foundation.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in `path`'s folder that becomes `path` when the block ends without an error.

    Whatever interrupts the block (an error, ctrl-C, a full disk) leaves an earlier `path` untouched.

    Raises:
        InputError: `path` is a folder, or one of its parents is a file.
    """
    if path.is_dir():
        raise InputError(f"{path}: expected the name of a file to write, found a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{path.parent}: expected a folder to write into, found a file") from None
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with replacing(path) as temporary:
        # A file's name may be no UTF-8, and so be text that has no UTF-8.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def parse_json(text: str | bytes) -> Any:
    """Read a JSON text. Python's reader takes NaN and infinity for numbers; JSON has none, nor has this.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        value = json.loads(text, parse_constant=_number, parse_float=_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if "\\ud" in text.lower():  # half of a letter, maybe, which no file can hold
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: the file is absent, is not JSON, or holds something other than an object.
    """
    try:
        value = parse_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def sha256_of(path: Path) -> str:
    """The file's SHA-256 as 64 lower-case hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_all(paths: Iterable[Path]) -> str:
    """One hash of several files, in the order of their paths; 64 lower-case hex digits."""
    return hashlib.sha256("".join(map(sha256_of, sorted(paths))).encode()).hexdigest()


def tool_versions(*distributions: str) -> dict[str, str]:
    """The installed version of each named distribution; absent ones are left out."""
    found: dict[str, str] = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Artifact:
    """A file and the record beside it (`X` and `X.json`)."""

    path: Path
    record: Mapping[str, Any]

    @staticmethod
    def record_path(path: Path) -> Path:
        """Where the record of `path` stands: `X.json` beside `X`."""
        return path.with_name(path.name + ".json")

    @classmethod
    def save(
        cls, path: Path, *, sources: Mapping[str, Path], content: Path | None = None, **facts: Any
    ) -> Artifact:
        """Record what `path` is and what it was made from.

        Args:
            path: The finished file.
            content: Where its bytes still are, inside the block of `replacing`. The record comes first, for
                a kill between the two then leaves the earlier file, which `make` makes anew.
            sources: Role -> file it was made from; their hashes are recorded, and where they stand from
                `path`'s folder.
            facts: JSON values (spec, recipe, versions, parity ...), recorded as they are.
        """
        record = {
            "file": path.name,
            "bytes": (content or path).stat().st_size,
            "sha256": sha256_of(content or path),
            "made_from": {
                role: {
                    "file": source.name,
                    "path": os.path.relpath(source.resolve(), path.parent.resolve()),
                    "sha256": sha256_of(source),
                }
                for role, source in sources.items()
            },
            **facts,
        }
        write_json(cls.record_path(path), record)
        return cls(path, record)

    @classmethod
    def load(cls, path: Path) -> Artifact:
        """Read the record beside `path`.

        Raises:
            InputError: the file or its record is absent or unreadable.
        """
        if not path.is_file():
            raise InputError(f"no such file: {path}")
        return cls(path, read_json(cls.record_path(path)))

    def source(self, role: str) -> Mapping[str, Any]:
        """What the record says of the file that took this part in making it; empty if nothing."""
        made_from = self.record.get("made_from")
        found = made_from.get(role) if isinstance(made_from, dict) else None
        return found if isinstance(found, dict) else {}

    def require_made_from(self, checkpoint: Path) -> None:
        """Stop unless the file was made from this checkpoint.

        Raises:
            InputError: the checkpoint is absent or another one.
        """
        made_from = self.source("checkpoint")
        if not checkpoint.is_file():
            raise InputError(f"no such checkpoint file: {checkpoint}")
        if made_from.get("sha256") != sha256_of(checkpoint):
            raise InputError(
                f"{self.path} was made from {made_from.get('file')}, not from {checkpoint}; convert again"
            )
