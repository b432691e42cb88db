"""Operators of foreign files: each computes what the runtime computes, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from convert.tflite.graph import read_graph
from model.runtime.interpreter import TfliteInterpreter
from quantize.qat.mirror.kernels import KERNELS, logits
from quantize.qat.mirror.run import Run
from tests.small_tflite import SmallModel

EVERY = np.arange(-128, 128).astype(np.int8)
PAIRS = np.stack(np.meshgrid(EVERY, EVERY), -1).reshape(1, -1, 2)
"""All pairs of integers."""

Integers = NDArray[np.int8]


def _both(
    path: Path, build: Callable[[SmallModel, int], int], entry: Integers, scale: float, zero: int
) -> tuple[Integers, Integers]:
    """What the runtime and the mirror's kernel compute of an int8 tensor."""
    small = SmallModel()
    first = small.tensor("entry", "int8", list(entry.shape), scale, zero)
    small.write(path, [first], [build(small, first)])
    interpreter = TfliteInterpreter(path)
    interpreter.run_real(interpreter.inputs[0].real(entry))
    theirs = interpreter.stored(interpreter.outputs[0])

    graph = read_graph(path)
    (operator,) = graph.operators
    constants = {
        index: torch.from_numpy(tensor.constant.copy())
        for index, tensor in enumerate(graph.tensors)
        if tensor.constant is not None
    }
    run = Run(graph, {}, {}, {}, constants)
    run.values[graph.inputs[0]] = torch.from_numpy(entry.astype(np.float32) - zero)
    mine = KERNELS[operator.kind](run, operator).numpy() + graph.tensors[graph.outputs[0]].zero_point
    return theirs, mine.astype(np.int8)


@pytest.mark.parametrize("scale", [0.004, 0.06, 0.17, 0.9])
@pytest.mark.parametrize("columns", [2, 5])
def test_softmax(scale: float, columns: int, tmp_path: Path, rng: np.random.Generator) -> None:
    entry = PAIRS if columns == 2 else rng.integers(-128, 128, (1, 4000, columns)).astype(np.int8)

    def build(small: SmallModel, first: int) -> int:
        made = small.tensor("made", "int8", list(entry.shape), 1 / 256, -128)
        small.add("SOFTMAX", [first], [made], beta=1.0)
        return made

    theirs, mine = _both(tmp_path / "softmax.tflite", build, entry, scale, 7)
    np.testing.assert_array_equal(mine, theirs)
    assert len(np.unique(theirs)) > 3


@pytest.mark.parametrize("half_pixels", [False, True])
@pytest.mark.parametrize("size", [(20, 12), (15, 7)])
def test_resizing_to_the_nearest(
    half_pixels: bool, size: tuple[int, int], tmp_path: Path, rng: np.random.Generator
) -> None:
    entry = rng.integers(-128, 128, (1, 10, 6, 3)).astype(np.int8)

    def build(small: SmallModel, first: int) -> int:
        made = small.tensor("made", "int8", [1, *size, 3], 0.5, 3)
        wanted = small.constant("size", np.int32(size))
        small.add("RESIZE_NEAREST_NEIGHBOR", [first, wanted], [made], halfPixelCenters=half_pixels)
        return made

    theirs, mine = _both(tmp_path / "resize.tflite", build, entry, 0.5, 3)
    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("side", "stride", "padding", "size"), [(2, 2, 1, (5, 3)), (3, 2, 0, (5, 4)), (3, 1, 0, (10, 7))]
)
def test_the_largest_of_a_window(
    side: int, stride: int, padding: int, size: tuple[int, int], tmp_path: Path, rng: np.random.Generator
) -> None:
    entry = rng.integers(-128, -100, (1, 10, 7, 3)).astype(np.int8)  # below the zero point: padding shows
    options: dict[str, Any] = {
        "filterHeight": side, "filterWidth": side, "strideH": stride, "strideW": stride, "padding": padding
    }  # fmt: skip

    def build(small: SmallModel, first: int) -> int:
        made = small.tensor("made", "int8", [1, *size, 3], 0.5, 3)
        small.add("MAX_POOL_2D", [first], [made], **options)
        return made

    theirs, mine = _both(tmp_path / "pool.tflite", build, entry, 0.5, 3)
    np.testing.assert_array_equal(mine, theirs)


def test_logits_are_those_of_the_probabilities(tmp_path: Path, rng: np.random.Generator) -> None:
    small = SmallModel()
    first, made = (small.tensor(name, "float32", [1, 50, 3]) for name in ("entry", "made"))
    small.add("SOFTMAX", [first], [made], beta=2.0)
    graph = read_graph(small.write(tmp_path / "softmax.tflite", [first], [made]))
    run = Run(graph, {}, {}, {}, {})
    run.values[first] = torch.from_numpy(rng.normal(size=(1, 50, 3)).astype(np.float32))
    probabilities = KERNELS["SOFTMAX"](run, graph.operators[0])
    torch.testing.assert_close(torch.sigmoid(logits(run, graph.operators[0])), probabilities)
