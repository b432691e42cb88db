"""Typed records as JSON: one way to write and to read every frozen dataclass that the project keeps.

msgspec does the work: it reads plain dataclasses, checks every field's type, runs their `__post_init__`
and names the path of what is wrong. A field that an older program wrote and this one does not know is
ignored; one that this program added needs a default. Neither breaks a stored file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from model.foundation.artifact import read_json, write_json
from model.foundation.errors import InputError

T = TypeVar("T")


def to_json(record: Any) -> Any:
    """A record as plain JSON values: dictionaries, lists, text, numbers. NumPy numbers become plain ones."""
    return _listed(msgspec.to_builtins(record, enc_hook=_plain))


def from_json(kind: type[T], value: Any, where: str) -> T:
    """Plain JSON values -> a record.

    Args:
        kind: A dataclass, or any type that msgspec knows (`list[Row]`, `dict[str, Row]`).
        value: What `json.loads` returned.
        where: The file, for the message.

    Raises:
        InputError: a field is missing or of another type, or the record's own check refuses it.
    """
    try:
        # JSON's keys are text, whatever the record's are.
        return msgspec.convert(value, kind, str_keys=True)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}; write it again with this version") from None


def write_record(path: Path, record: Any) -> None:
    """Write a record as indented JSON, whole or not at all."""
    write_json(path, to_json(record))


def read_record(path: Path, kind: type[T]) -> T:
    """Read a record.

    Raises:
        InputError: absent, no JSON, or not such a record.
    """
    return from_json(kind, read_json(path), str(path))


def fingerprint(record: Any) -> str:
    """A text that is equal for equal records, to be hashed or used as a key."""
    return json.dumps(to_json(record), sort_keys=True)


def _listed(value: Any) -> Any:
    """Tuples as the lists that they come back as."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a record cannot hold a {type(value).__name__}")
