"""The resumable store: finished pieces of a long work, a line each; an interruption loses one at most."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from model.foundation.artifact import parse_json, read_json, write_json
from model.foundation.errors import InputError
from model.foundation.records import fingerprint, from_json, to_json

T = TypeVar("T")


class Journal(Mapping[str, T]):
    """Key -> record, kept as JSON lines. What was added before, in this run or an earlier one, is there.

    A last line that an interruption cut short is dropped, and the file goes on from the one before.
    """

    def __init__(self, path: Path | None, kind: type[T]) -> None:
        """Open a journal.

        Args:
            path: The file; None keeps the records for this run only.
            kind: What each line holds: a dataclass, or any type that msgspec knows.

        Raises:
            InputError: a line is no record of this kind.
        """
        self.path, self._kind = path, kind
        self._found: dict[str, T] = dict(self._read())

    @classmethod
    def about(cls, folder: Path, stem: str, facts: Mapping[str, Any], kind: type[T]) -> Journal[T]:
        """The journal of one setting: its name holds the hash of all facts that decide the records.

        Args:
            folder: Where journals of this work stand.
            stem: The start of its name.
            facts: Everything the records depend on, as JSON values; written beside it as `.json`.
            kind: See `__init__`.
        """
        key = hashlib.sha256(fingerprint(facts).encode()).hexdigest()[:16]
        path = folder / f"{stem}_{key}.jsonl"
        if not path.is_file():
            write_json(path.with_suffix(".json"), to_json(facts))
        return cls(path, kind)

    def add(self, key: str, record: T) -> None:
        """Keep a record, on disk before this returns."""
        self._found[key] = record
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"key": key, "record": to_json(record)}) + "\n")

    def __getitem__(self, key: str) -> T:
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def _read(self) -> Iterator[tuple[str, T]]:
        if self.path is None or not self.path.is_file():
            return
        content = self.path.read_bytes()
        if not content.endswith(b"\n"):
            content = content[: content.rfind(b"\n") + 1]
            with self.path.open("r+b") as stream:
                stream.truncate(len(content))
        for number, line in enumerate(content.splitlines(), 1):
            where = f"{self.path}:{number}"
            try:
                value = parse_json(line)
                yield value["key"], from_json(self._kind, value["record"], where)
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{where} is no finished piece of work; remove the line or the file"
                ) from None


def merge(sources: Sequence[Path], into: Path) -> dict[Path, int]:
    """Bring what several machines finished into one folder; what stands there already stays.

    Args:
        sources: Journals, or folders of journals. Those of one name are of one work: the name holds the hash
            of what decides its records.
        into: A folder.

    Returns:
        Each journal in `into` that was merged, and how many records it has now.

    Raises:
        InputError: there is no journal, a line is none, or two machines found different things for one piece.
    """
    counts: dict[Path, int] = {}
    for source in sources:
        journals = sorted(source.glob("*.jsonl")) if source.is_dir() else [source]
        if not journals:
            raise InputError(f"{source}: no finished work (*.jsonl) is there")
        for path in journals:
            counts[into / path.name] = _add_all(path, into / path.name)
    return counts


def _add_all(path: Path, target: Path) -> int:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    facts = path.with_suffix(".json")
    if facts.is_file() and not target.is_file():
        write_json(target.with_suffix(".json"), read_json(facts))
    found, kept = Journal(path, Any), Journal(target, Any)
    for key, record in found.items():
        if key not in kept:
            kept.add(key, record)
        elif kept[key] != record:
            raise InputError(
                f"{path} and {target} say different things of {key}: remove the one that is wrong"
            )
    return len(kept)
