"""The table that `make tflite` ends with: a planted dead file is named, and so is the one to use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.__main__ import main
from benchmark.report.made_files import MadeFile, advice
from benchmark.report.rows import Timings
from convert.difference import Difference, TensorDifference
from convert.verdict import Verdict, parity_facts
from model.foundation.artifact import Artifact
from model.foundation.command_line.terminal import shared_beginning
from model.foundation.records import write_record

STEM = "featherface_v1_320x320"


def _plant(path: Path, size: int, kept: int) -> str:
    """A file of so many bytes that keeps so many of 34 faces, by its record; its hash."""
    path.write_bytes(bytes(size))
    error = {name: TensorDifference(0.00132, 3.0) for name in ("boxes", "scores", "landmarks")}
    parity = {"torch": Difference(24, error, 90, 0, 0, 34, kept, kept)}
    made = Artifact.save(path, sources={}, precision="x", **parity_facts(parity))
    return str(made.record["sha256"])


def test_a_dead_file_is_named_and_another_recommended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {"_float32": (40960, 34), "_float16": (20480, 34), "_int8": (8192, 0), "_int8_fp16": (12288, 33)}
    files = [tmp_path / f"{STEM}{name}.tflite" for name in kept]
    hashes = [_plant(path, *sizes) for path, sizes in zip(files, kept.values(), strict=True)]
    timings = tmp_path / "summary.json"
    write_record(timings, Timings(dict.fromkeys(hashes, 1868.8)))
    assert main(["summary", *map(str, files), "--output", str(timings)]) == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in said.splitlines() if ".tflite " in line}
    assert rows["int8.tflite"] == ["int8.tflite", "8", *["0.0013"] * 3, "0/34", "1868.8", "dead"]
    assert rows["float32.tflite"][-1] == rows["float16.tflite"][-1] == rows["int8_fp16.tflite"][-1] == "good"
    assert f"dead: {STEM}_int8.tflite keeps 0 of 34 faces\n" in said
    assert said.endswith(f"use {STEM}_int8_fp16.tflite: 33 of 34 faces, 12 KiB\n")
    assert Artifact.load(files[2]).record["verdict"] == {"grade": "dead", "reason": "keeps 0 of 34 faces"}


def test_80_columns_cut_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.foundation.command_line.terminal.WIDE", 80)
    files = [tmp_path / f"{STEM}{name}" for name in (".onnx", "_int8_fp16.tflite")]
    hashes = [_plant(path, 4096000 + place, 30) for place, path in enumerate(files)]
    timings = tmp_path / "summary.json"
    write_record(timings, Timings(dict.fromkeys(hashes, 1868.8)))
    assert main(["summary", *map(str, files), "--output", str(timings)]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "int8_fp16.tflite " in said
    assert "…" not in said


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        ([""], ""),
        (["net_320x320.onnx"], ""),
        (["a.onnx", "b.onnx"], ""),
        (["net_320x320_int8.tflite", "net_320x320.onnx"], "net_320x320"),
        (["net_320x320_float16.tflite", "net_320x320_float32.tflite"], "net_320x320"),
        (["v1_320x320_int8.tflite", "v1_640x640_int8.tflite"], "v1"),
    ],
)
def test_what_all_names_begin_with(names: list[str], shared: str) -> None:
    assert shared_beginning(names) == shared


def test_the_smallest_good_file_is_recommended_and_none_if_none_is_good(tmp_path: Path) -> None:
    made = []
    for place, (name, size) in enumerate({"a": 3072, "b": 1024, "c": 2048}.items()):
        (tmp_path / name).write_bytes(bytes(size))
        difference = Difference(24, {}, 0, 0, 0, 60, 60 - place, 60)
        made.append(MadeFile(tmp_path / name, difference, Verdict("good", "because"), 1.0, "int8"))
    assert advice(made) == ["use b: 59 of 60 faces, 1 KiB"]
    (tmp_path / "d").write_bytes(b"smallest")
    dynamic = replace(made[0], path=tmp_path / "d", precision="dynamic")
    assert advice([dynamic, *made])[-1] == "use b: 59 of 60 faces, 1 KiB"
    assert advice([dynamic])[-1].startswith("use d: ")
    made[1] = replace(made[1], verdict=Verdict("look at it", "keeps 5 of 10 faces"))
    assert advice(made) == ["look at it: b keeps 5 of 10 faces", "use c: 58 of 60 faces, 2 KiB"]
    assert advice(made[1:2])[-1] == "no file is surely good: see what each finds with 'featherface detect'"
