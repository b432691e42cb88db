"""Padding by rows: the bytes of padding by pixels, and only where it is one of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.tflite.graph import read_graph
from model.runtime.flatbuffer import read_model, write_model
from model.runtime.interpreter import TfliteInterpreter
from quantize.apply.passes.row_pads import pad_rows
from tests.small_tflite import SmallModel

SHAPE = (1, 5, 7, 3)
SPATIAL = [[0, 0], [2, 1], [0, 3], [0, 0]]


def padded(
    folder: Path, kind: str, zero: int, paddings: list[list[int]], shape: tuple[int, ...] = SHAPE
) -> Path:
    """A file of one PAD."""
    small, scale = SmallModel(), None if kind == "float32" else 0.5
    to = [side + sum(pair) for side, pair in zip(shape, paddings, strict=True)]
    entry = small.tensor("entry", kind, list(shape), scale, zero)
    result = small.tensor("result", kind, to, scale, zero)
    small.add("PAD", [entry, small.constant("paddings", np.array(paddings, np.int32))], [result])
    return small.write(folder / "pixels.tflite", [entry], [result])


def by_rows(file: Path) -> Path:
    model = read_model(file)
    pad_rows(model)
    write_model(model, file.with_name("rows.tflite"))
    return file.with_name("rows.tflite")


@pytest.mark.parametrize("zero", [-128, 0, 5])
def test_the_bytes_are_numpys(tmp_path: Path, zero: int) -> None:
    file = by_rows(padded(tmp_path, "int8", zero, SPATIAL))
    assert [one.kind for one in read_graph(file).operators] == ["RESHAPE", "PAD", "RESHAPE"]
    values = np.random.default_rng(zero + 128).integers(-128, 128, SHAPE).astype(np.int8)
    running = TfliteInterpreter(file)
    running.run_real((values.astype(np.float32) - zero) * np.float32(0.5))
    expected = np.pad(values, SPATIAL, constant_values=zero)
    np.testing.assert_array_equal(running.stored(running.outputs[0]), expected)


@pytest.mark.parametrize(
    ("kind", "paddings", "shape"),
    [
        ("float32", SPATIAL, SHAPE),
        ("int8", [[0, 0], [1, 1], [1, 1], [0, 5]], SHAPE),
        ("int8", [[0, 1], [1, 1], [1, 1], [0, 0]], SHAPE),
        ("int8", SPATIAL, (2, *SHAPE[1:])),
    ],
)
def test_any_other_pad_stays(
    tmp_path: Path, kind: str, paddings: list[list[int]], shape: tuple[int, ...]
) -> None:
    file = padded(tmp_path, kind, 0, paddings, shape)
    assert by_rows(file).read_bytes() == write_again(file)


def write_again(file: Path) -> bytes:
    """The file as it is after reading and writing."""
    again = file.with_name("again.tflite")
    write_model(read_model(file), again)
    return again.read_bytes()
