"""Records survive the way to disk and back, and a field more or less does not break an old file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from model.foundation.artifact import write_json
from model.foundation.errors import InputError
from model.foundation.journal import Journal
from model.foundation.records import read_record, write_record


@dataclass(frozen=True)
class Part:
    name: str
    share: float = 0.0


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    count: int
    note: str | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count is negative")


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = Whole((Part("a", np.float64(0.5)), Part("b")), 2)
    write_record(tmp_path / "whole.json", record)
    assert read_record(tmp_path / "whole.json", Whole) == record


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"parts": []}, "missing required field `count`"),
        ({"parts": [{"name": 3}], "count": 1}, r"Expected `str`, got `int` - at `\$.parts\[0\].name`"),
        ({"parts": [], "count": -1}, "count is negative"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(value: dict[str, object], message: str, tmp_path: Path) -> None:
    write_json(tmp_path / "bad.json", value)
    with pytest.raises(InputError, match=message) as caught:
        read_record(tmp_path / "bad.json", Whole)
    assert "bad.json" in str(caught.value)


def test_a_field_more_is_no_error(tmp_path: Path) -> None:
    write_json(tmp_path / "newer.json", {"parts": [], "count": 1, "colour": "red"})
    assert read_record(tmp_path / "newer.json", Whole) == Whole((), 1)


def test_a_journal_goes_on_where_a_kill_cut_a_line(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    first = Journal(path, Part)
    first.add("one", Part("a", 1.0))
    first.add("two", Part("b", 2.0))
    path.write_bytes(path.read_bytes()[:-5])
    second = Journal(path, Part)
    assert dict(second) == {"one": Part("a", 1.0)}
    second.add("two", Part("b", 3.0))
    assert dict(Journal(path, Part)) == {"one": Part("a", 1.0), "two": Part("b", 3.0)}


def test_a_journal_refuses_what_is_none_of_its_records(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    path.write_text('{"key": "one", "record": {"share": 1}}\n')
    with pytest.raises(InputError, match=r"work.jsonl:1"):
        Journal(path, Part)


def test_other_facts_are_another_journal(tmp_path: Path) -> None:
    first = Journal.about(tmp_path, "model", {"threads": 1}, Part)
    first.add("one", Part("a"))
    assert not Journal.about(tmp_path, "model", {"threads": 2}, Part)
    assert Journal.about(tmp_path, "model", {"threads": 1}, Part)["one"] == Part("a")
