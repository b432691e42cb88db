"""A product as a convolution: the same bytes, whatever shape its rows have; other products stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.tflite.graph import read_graph
from model.runtime.flatbuffer import read_model, write_model
from model.runtime.interpreter import TfliteInterpreter
from quantize.apply.passes.pointwise_products import convolve_products
from tests.small_tflite import SmallModel


def _product(folder: Path, shape: list[int], to: list[int], scales: list[float]) -> tuple[Path, Path]:
    """An int8 product of 4 inputs and 5 outputs, and what the pass makes of the file."""
    rng = np.random.default_rng(3)
    small = SmallModel()
    entry = small.tensor("x", "int8", shape, 0.1, -3)
    out, end = (small.tensor(name, "int8", to, 0.5, 7) for name in ("head", "y"))
    weight = rng.integers(-127, 128, (5, 4)).astype(np.int8)
    bias = rng.integers(-90, 90, 5).astype(np.int32)
    constants = [
        small.constant("w", weight, scales), small.constant("b", bias, [0.1 * one for one in scales]),
    ]  # fmt: skip
    small.add("FULLY_CONNECTED", [entry, *constants], [out], keepNumDims=len(to) == len(shape))
    sides = small.constant("sides", np.int32(to))
    small.add("RESHAPE", [out, sides], [end])
    file = small.write(folder / "product.tflite", [entry], [end])
    model = read_model(file)
    convolve_products(model)
    write_model(model, folder / "convolved.tflite")
    return file, folder / "convolved.tflite"


@pytest.mark.parametrize(
    ("shape", "to"), [([1, 6, 4], [1, 6, 5]), ([1, 6, 4], [6, 5]), ([1, 2, 3, 4], [1, 2, 3, 5])]
)
def test_the_bytes_stay(tmp_path: Path, shape: list[int], to: list[int]) -> None:
    files = _product(tmp_path, shape, to, [0.01, 0.02, 0.03, 0.04, 0.05])
    graph = read_graph(files[1])
    assert [one.kind for one in graph.operators] == ["RESHAPE", "CONV_2D", "RESHAPE", "RESHAPE"]
    assert graph.operators[1].layer == "head"
    values, results = np.random.default_rng(4).uniform(-12, 12, shape).astype(np.float32), []
    for file in files:
        running = TfliteInterpreter(file)
        running.run_real(values)
        results.append(running.stored(running.outputs[0]))
    assert len(np.unique(results[0])) > 5
    np.testing.assert_array_equal(results[0], results[1])


def test_a_product_of_one_scale_stays(tmp_path: Path) -> None:
    _, same = _product(tmp_path, [1, 6, 4], [1, 6, 5], [0.01])
    assert "CONV_2D" not in read_graph(same).require_builtin()
