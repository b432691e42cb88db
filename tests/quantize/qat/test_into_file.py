"""Trained constants in the float file that they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.tflite.graph import read_graph
from model.runtime.interpreter import TfliteInterpreter
from quantize.qat.into_file import write_constants
from tests.small_tflite import SmallModel


@pytest.fixture
def scaled(tmp_path: Path) -> Path:
    """y = 2 x, z = 2 y; both factors are stored once, as a converter does with equal constants."""
    small = SmallModel()
    x, y, z = (small.tensor(name, "float32", [1, 2, 2, 3]) for name in "xyz")
    first, second = (small.constant(name, np.float32([2])) for name in ("first", "second"))
    small.graph.tensors[second].buffer = small.graph.tensors[first].buffer
    small.add("MUL", [x, first], [y])
    small.add("MUL", [y, second], [z])
    return small.write(tmp_path / "scaled.tflite", [x], [z])


def test_the_file_computes_with_what_was_written(scaled: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.tflite"
    write_constants(scaled, {"first": np.float32([3])}, made)
    interpreter = TfliteInterpreter(made)
    interpreter.run_real(np.ones((1, 2, 2, 3), np.float32))
    assert interpreter.value(interpreter.outputs[0]).tolist() == np.full((1, 2, 2, 3), 6).tolist()
    stored = {tensor.name: tensor.constant for tensor in read_graph(made).tensors}
    assert (stored["first"], stored["second"]) == ([3], [2])
    write_constants(scaled, {}, made)
    assert [one.name for one in read_graph(made).tensors] == [one.name for one in read_graph(scaled).tensors]


@pytest.mark.parametrize(
    "constants", [{"third": np.float32([1])}, {"y": np.float32([1])}, {"first": np.ones(2)}]
)
def test_what_the_file_does_not_store_is_refused(
    constants: dict[str, np.ndarray], scaled: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="stores no"):
        write_constants(scaled, constants, tmp_path / "made.tflite")
    assert not (tmp_path / "made.tflite").exists()
