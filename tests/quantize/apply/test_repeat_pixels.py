"""Blocks of equal pixels, made by joining: the bytes of RESIZE_NEAREST_NEIGHBOR, in one part for XNNPACK."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.graph import read_graph
from model.runtime.flatbuffer import read_model, write_model
from model.runtime.interpreter import TfliteInterpreter
from quantize.apply.passes.repeat_pixels import repeat_pixels
from quantize.inspect.delegation import ask_runtime
from tests.small_tflite import SmallModel


def _between_sums(path: Path, size: tuple[int, int], kind: str = "int8", **options: bool) -> Path:
    """x + x, resized from [1, 3, 5, 3], and that added to itself."""
    small, scale = SmallModel(), None if kind == "float32" else 0.5
    image = small.tensor("image", kind, [1, 3, 5, 3], scale)
    twice = small.tensor("twice", kind, [1, 3, 5, 3], scale)
    large = small.tensor("large", kind, [1, *size, 3], scale)
    again = small.tensor("again", kind, [1, *size, 3], scale)
    for one in small.graph.tensors:
        one.quantization = one.quantization or schema.QuantizationParametersT()  # as the quantizer leaves it
    small.add("ADD", [image, image], [twice])
    wanted = small.constant("size", np.array(size, np.int32))
    small.add("RESIZE_NEAREST_NEIGHBOR", [twice, wanted], [large], **options)
    small.add("ADD", [large, large], [again])
    return small.write(path, [image], [again])


@pytest.mark.parametrize(
    "size", [(6, 10), (3, 10), (6, 5), (12, 15)], ids=["both", "columns", "rows", "4 x 3"]
)
@pytest.mark.parametrize("half_pixel", [False, True])
def test_blocks_have_the_same_bytes_and_xnnpack_takes_them(
    tmp_path: Path, size: tuple[int, int], half_pixel: bool
) -> None:
    path = _between_sums(tmp_path / "resize.tflite", size, halfPixelCenters=half_pixel)
    assert len(ask_runtime(path).partitions) == 2
    model = read_model(path)
    repeat_pixels(model)
    write_model(model, made := tmp_path / "joined.tflite")
    assert len(ask_runtime(made).partitions) == 1
    pixels = np.random.default_rng(0).uniform(-30, 30, (1, 3, 5, 3))
    before, after = (_run(one, pixels) for one in (path, made))
    assert len(np.unique(before)) > 10
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("size", "kind", "corners"),
    [((6, 10), "float32", False), ((4, 7), "int8", False), ((6, 10), "int8", True), ((15, 5), "int8", False)],
    ids=["float", "no whole factor", "aligned corners", "more than XNNPACK joins"],
)
def test_other_resizes_stay(tmp_path: Path, size: tuple[int, int], kind: str, corners: bool) -> None:
    path = _between_sums(tmp_path / "resize.tflite", size, kind, alignCorners=corners)
    before, model = read_graph(path), read_model(path)
    repeat_pixels(model)
    write_model(model, path)
    assert [one.kind for one in read_graph(path).operators] == [one.kind for one in before.operators]


def _run(path: Path, pixels: np.ndarray) -> np.ndarray:
    file = TfliteInterpreter(path)
    file.run_real(pixels)
    return file.stored(file.outputs[0])
