"""Damaged files: whatever is wrong with one, a line says so, or it is read as it stands; nothing crashes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.tflite.foreign import adopt_tflite
from convert.tflite.layer_difference import Watched, compare_layers
from model.foundation.errors import InputError
from model.geometry.boxes import detect
from model.runtime.flatbuffer import parse_model
from model.runtime.running import open_model
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import prepared
from quantize.calibrate.meter import measure_ranges
from quantize.inspect.audit import audit
from quantize.recipe import read_recipe
from tests.conftest import ROOT
from tests.convert.doors.test_tflite import HEIGHT, SPEC, WIDTH, foreign_file

INT8 = read_recipe(ROOT / "quantize" / "recipes" / "int8.json")

TRIES = 40
Damage = Callable[[bytes, np.random.Generator], bytes]


class Whole:
    """A float file, its int8 form and an image."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        self.image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        self.float32, self.int8 = folder / "float32.tflite", folder / "int8.tflite"
        adopt_tflite(foreign_file(folder / "foreign.tflite", rng), SPEC, self.float32, [self.image])
        self.ranges = measure_ranges(self.float32, [self.image])
        apply_recipe(INT8, self.float32, prepared(self.ranges, "mse", self.float32), self.int8)

    def use(self, damaged: Path, *, quantize: bool) -> None:
        """What the commands do with a file: look at it, run it, compare it, quantize it."""
        audit(damaged)
        detect(*open_model(damaged, SPEC)(self.image), SPEC)
        compare_layers(Watched(self.float32), Watched(damaged), [self.image], 20)
        if quantize:
            measure_ranges(damaged, [self.image])
            apply_recipe(
                INT8, damaged, prepared(self.ranges, "mse", damaged), damaged.with_name("made.tflite")
            )


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit is another, in the structure or in the values."""
    place = int(rng.integers(len(content)))
    return content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :]


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content)))]


def wrong_field(content: bytes, rng: np.random.Generator) -> bytes:
    """One number or name of the schema is another."""
    model = parse_model(content)
    holders = list(_holders(model))
    holder, name = holders[int(rng.integers(len(holders)))]
    value = getattr(holder, name)
    wrong = [-1, 0, 1, 2, 7, 100, 1 << 20, (1 << 31) - 1, -(1 << 31)][int(rng.integers(9))]
    if isinstance(value, np.ndarray):
        value = value.copy()
        if value.dtype.kind == "f":
            value[int(rng.integers(len(value)))] = [np.nan, np.inf, 0, -1, 1e30][int(rng.integers(5))]
        else:
            value[int(rng.integers(len(value)))] = np.array(wrong).astype(value.dtype)
        setattr(holder, name, value)
    elif isinstance(value, bytes):
        setattr(holder, name, [b"\xff\xfe", b"", b"image"][int(rng.integers(3))])
    else:
        setattr(holder, name, wrong)
    try:
        return _packed(model)
    except (struct.error, TypeError, AttributeError, OverflowError):  # the schema cannot hold it there
        return b""


def _holders(model: Any) -> Iterator[tuple[Any, str]]:
    """Every field of every table that holds a number, a name or numbers."""
    if isinstance(model, list):
        for one in model:
            yield from _holders(one)
    elif hasattr(model, "__dict__"):
        for name, value in vars(model).items():
            if (isinstance(value, (int, bytes)) and not isinstance(value, bool)) or (
                isinstance(value, np.ndarray) and len(value)
            ):
                yield model, name
            else:
                yield from _holders(value)


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("damage", [flipped, cut, wrong_field])
@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_damaged_file_is_a_line(kind: str, damage: Damage, whole: Whole, tmp_path: Path) -> None:
    content = getattr(whole, kind).read_bytes()
    refused = 0
    for seed in range(TRIES):
        damaged = tmp_path / "damaged.tflite"
        damaged.write_bytes(damage(content, np.random.default_rng(seed)))
        try:
            whole.use(damaged, quantize=kind == "float32" and not seed % 5)
        except InputError as error:
            refused += 1
            assert str(error), seed
    assert refused
