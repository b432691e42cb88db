"""The interpreter of TFLite files: what goes in, what every tensor holds afterwards, what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.foundation.errors import InputError
from model.runtime.interpreter import TfliteInterpreter
from tests.conftest import ROOT, Converted
from tests.small_tflite import SmallModel

STEP, ZERO = 0.5, -10


@pytest.fixture
def quantizing(tmp_path: Path) -> Path:
    """float32 [1, 2, 2, 3] -> int8 of scale 0.5 and zero point -10 -> twice its value."""
    small = SmallModel()
    image = small.tensor("image", "float32", [1, 2, 2, 3])
    levels = small.tensor("levels", "int8", [1, 2, 2, 3], STEP, ZERO)
    double = small.tensor("double", "int8", [1, 2, 2, 3], 2 * STEP, ZERO)
    small.add("QUANTIZE", [image], [levels])
    small.add("ADD", [levels, levels], [double])
    return small.write(tmp_path / "file.tflite", [image], [double])


def pixels() -> np.ndarray:
    return np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def test_the_outputs_can_be_read_stored_and_real(quantizing: Path) -> None:
    file = TfliteInterpreter(quantizing)
    file.run(pixels())
    np.testing.assert_array_equal(file.value(file.outputs[0])[0], 2.0 * pixels())
    assert file.stored(file.outputs[0]).dtype == np.int8
    np.testing.assert_array_equal(file.stored(file.outputs[0])[0], pixels().astype(int) * 2 + ZERO)


@pytest.mark.parametrize("kernels", ["builtin", "xnnpack", None])
def test_with_all_tensors_what_stands_in_between_is_kept(quantizing: Path, kernels: str | None) -> None:
    file = TfliteInterpreter(quantizing.read_bytes(), all_tensors=True, kernels=kernels)
    file.run(pixels())
    levels = file.by_name["levels"]
    assert (levels.scale, levels.zero_point, levels.shape) == (STEP, ZERO, (1, 2, 2, 3))
    np.testing.assert_array_equal(file.value(levels)[0], pixels())
    delegated = any(one["op_name"] == "DELEGATE" for one in file.operators())
    assert not delegated or kernels == "xnnpack"


@pytest.mark.parametrize(
    ("kind", "scale", "zero", "expected"),
    [
        ("uint8", None, 0, [0, 100, 255]),
        ("uint8", 1.0, 0, [0, 100, 255]),
        ("int8", 1.0, -128, [-128, -28, 127]),
        ("int8", 1.0, 0, [0, 100, 127]),
        ("int8", 2.0, -128, [-128, -78, 0]),
        ("float32", None, 0, [0, 100, 255]),
    ],
)
def test_pixels_are_stored_as_the_input_wants_them(
    tmp_path: Path, kind: str, scale: float | None, zero: int, expected: list[int]
) -> None:
    small = SmallModel()
    image = small.tensor("image", kind, [1, 1, 1, 3], scale, zero)
    result = small.tensor("result", kind, [1, 3], scale, zero)
    small.add("RESHAPE", [image, small.constant("shape", np.array([1, 3], np.int32))], [result])
    file = TfliteInterpreter(small.write(tmp_path / "file.tflite", [image], [result]))
    file.run(np.array([[[0, 100, 255]]], np.uint8))
    assert file.stored(file.outputs[0])[0].tolist() == expected


def test_what_cannot_be_run_is_refused_with_its_name(tmp_path: Path, quantizing: Path) -> None:
    with pytest.raises(InputError, match="absent"):
        TfliteInterpreter(tmp_path / "absent.tflite")
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(quantizing.read_bytes()[:200])
    with pytest.raises(InputError, match=r"cut\.tflite"):
        TfliteInterpreter(cut)


def test_the_runtime_says_nothing_on_the_terminal(converted: Converted) -> None:
    """In a process of its own: the runtime prints its line at the first file only."""
    code = f"""
from pathlib import Path
from model.runtime.interpreter import TfliteInterpreter
TfliteInterpreter(Path({str(converted.float32)!r}))
TfliteInterpreter(Path({str(converted.float32)!r}), all_tensors=True)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
