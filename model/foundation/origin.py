"""What a file was made from: its record, held against the files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.foundation.artifact import Artifact, sha256_of
from model.foundation.errors import InputError


class OtherBytesError(InputError):
    """A file and its record are not of one another."""


@dataclass(frozen=True)
class Source:
    """A file that another was made from.

    Attributes:
        role: What it was to it: checkpoint, float32, recipe ...
        file, sha256: As the record has them.
        path: Where it stands: beside the file, or where it stood then; None if not here.
        state: "verified", "differs" or "not here", by its hash.
    """

    role: str
    file: str
    sha256: str
    path: Path | None
    state: str


@dataclass(frozen=True)
class Origin:
    """A file's record, whose hash is the file's, and what it was made from."""

    record: Mapping[str, Any]
    sources: tuple[Source, ...]


def origin_of(path: Path) -> Origin:
    """Read the record beside a file and look for what it names.

    Raises:
        OtherBytesError: the file is not the recorded one.
        InputError: no such file or record, no JSON, or a field that is missing.
    """
    record = Artifact.load(path).record
    beside = Artifact.record_path(path)
    try:
        sources = tuple(_source(path, role, one) for role, one in record["made_from"].items())
        recorded = record["sha256"]
    except (KeyError, TypeError, AttributeError):
        raise InputError(
            f"{beside}: expected a record with sha256 and made_from; make the file again"
        ) from None
    if recorded != (found := sha256_of(path)):
        raise OtherBytesError(
            f"{path}: its sha256 is {found[:12]}, {beside.name} says {str(recorded)[:12]}: "
            "one of them was changed; make the file again"
        )
    return Origin(record, sources)


def _source(path: Path, role: str, said: Mapping[str, Any]) -> Source:
    file, digest = Path(str(said["file"])).name, str(said["sha256"])
    places = [path.with_name(file), path.parent / str(said.get("path", file))]
    found = {sha256_of(place): place for place in places if place.is_file()}
    state = "verified" if digest in found else "differs" if found else "not here"
    return Source(role, file, digest, found.get(digest) or next(iter(found.values()), None), state)
