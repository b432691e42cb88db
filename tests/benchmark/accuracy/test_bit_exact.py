"""Fingerprints of outputs: they agree, they differ, they are those of the bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from benchmark.__main__ import main
from benchmark.accuracy.bit_exact import output_hash
from tests.conftest import Converted


def test_hashes_agree_and_differ(
    converted: Converted, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "hashes",
        "--model",
        str(converted.float32),
        "--images",
        str(demo_set / "evaluation" / "images"),
    ]
    command += ["--limit", "3"]
    file = tmp_path / "hashes.json"
    assert main([*command, "--output", str(file)]) == 0
    assert main([*command, "--against", str(file)]) == 0
    assert "bit-exact: all outputs of 3 images" in capsys.readouterr().out
    value = json.loads(file.read_text())
    name = next(iter(value["images"]))
    file.write_text(
        json.dumps({**value, "images": {**value["images"], name: {**value["images"][name], "outputs": "0"}}})
    )
    assert main([*command, "--against", str(file)]) == 1
    assert f"the outputs of 1 of 3 images differ, the first {name}" in capsys.readouterr().err
    file.write_text(json.dumps({**value, "model_sha256": "0"}))
    assert main([*command, "--against", str(file)]) == 2


def test_the_hash_is_that_of_the_bytes_in_order() -> None:
    first, second = np.asarray([[1, -2]], np.int8), np.asarray([1.5], ">f4")
    expected = hashlib.sha256(b"\x01\xfe" + np.asarray([1.5], "<f4").tobytes()).hexdigest()
    assert output_hash([first, second]) == expected
    assert output_hash([second, first]) != expected
