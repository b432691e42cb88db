from __future__ import annotations

import errno
from pathlib import Path

import pytest

from model.foundation.artifact import Artifact, read_json, replacing, sha256_of, write_json
from model.foundation.errors import GateError, InputError, exit_code_of


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full"), ValueError()])
def test_an_interrupted_write_leaves_the_earlier_file_and_no_litter(
    tmp_path: Path, interruption: BaseException
) -> None:
    path = tmp_path / "model.tflite"
    path.write_text("earlier")
    with pytest.raises(type(interruption)), replacing(path) as temporary:
        temporary.write_text("half")
        raise interruption
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_that_cannot_be_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path}: expected the name of a file to write, found a folder"):
        write_json(tmp_path, {})
    taken = tmp_path / "taken"
    taken.write_text("kept")
    with pytest.raises(InputError, match="taken: expected a folder to write into, found a file"):
        write_json(taken / "x.json", {})
    assert taken.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [taken]


def test_a_record_says_what_a_file_was_made_from(tmp_path: Path) -> None:
    source, made = tmp_path / "a.pth", tmp_path / "b.onnx"
    source.write_text("weights")
    made.write_text("graph")
    Artifact.save(made, sources={"checkpoint": source}, precision="float32")
    record = Artifact.load(made).record
    assert record["made_from"]["checkpoint"] == {
        "file": "a.pth",
        "path": "a.pth",
        "sha256": sha256_of(source),
    }
    assert record["bytes"] == 5
    assert record["precision"] == "float32"


def test_unreadable_records_are_the_users_to_mend(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(InputError, match="no such file"):
        read_json(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read_json(path)
    write_json(path, [1])
    with pytest.raises(InputError, match="expected a JSON object"):
        read_json(path)
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"ap": float("nan")})


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (InputError("expected\na number"), 2, "error: expected a number\n"),
        (GateError("drift"), 1, "gate failed: drift\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.bin"),
            2,
            "error: x.bin: No space left on device\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted: nothing that was finished before is changed\n"),
    ],
)
def test_what_a_user_can_cause_is_one_line(
    raised: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise raised

    assert exit_code_of(main) == code
    assert capsys.readouterr().err == says


def test_a_bug_keeps_its_traceback() -> None:
    def main() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exit_code_of(main)


@pytest.mark.parametrize("text", ["NaN", '{"a": -Infinity}', '{"a": 1e400}', "[" * 100_000, '{"a": "\xff"}'])
def test_what_json_does_not_have_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="is not JSON"):
        read_json(tmp_path / "x.json")


def test_a_message_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise InputError("a\nname \x1b[2J\udcff\u202e")

    assert exit_code_of(fail) == 2
    assert capsys.readouterr().err == "error: a name \\x1b[2J\\udcff\\u202e\n"


def test_the_record_stands_before_the_file_is_replaced(tmp_path: Path) -> None:
    made = tmp_path / "a.onnx"
    made.write_text("earlier")
    with replacing(made) as temporary:
        temporary.write_text("new")
        saved = Artifact.save(made, sources={}, content=temporary)
        assert made.read_text() == "earlier"
        assert read_json(Artifact.record_path(made)) == saved.record
    assert saved.record["sha256"] == sha256_of(made)


@pytest.mark.parametrize("made_from", [None, [], {"checkpoint": []}, {"checkpoint": {"sha256": 3}}])
def test_a_record_that_names_no_source_belongs_to_no_checkpoint(made_from: object, tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    with pytest.raises(InputError, match="was made from None"):
        Artifact(tmp_path / "x", {"made_from": made_from}).require_made_from(tmp_path / "a.pth")
