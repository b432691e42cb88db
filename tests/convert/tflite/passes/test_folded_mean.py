"""The folded mean: the numbers of NumPy's subtraction, padding and convolution, in float and in int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from convert.tflite.graph import read_graph
from convert.tflite.naming import number_names
from convert.tflite.passes import PASSES
from model.runtime.flatbuffer import INPUT_NAME, read_model, write_model
from model.runtime.interpreter import TfliteInterpreter
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import PIXELS, pixels
from quantize.recipe import LayerRule, Recipe
from tests.small_tflite import SmallModel

HEIGHT, WIDTH = 8, 10
MEAN = np.float32([104, 117, 123])
SAME, VALID = 0, 1
GEOMETRIES = {
    "a PAD of all sides, stride 2": (3, 2, [[1, 1], [1, 1]], VALID),
    "a PAD of two sides, stride 1": (3, 1, [[0, 2], [2, 0]], VALID),
    "SAME, stride 1": (5, 1, None, SAME),
    "SAME, stride 2": (3, 2, None, SAME),
    "no border": (2, 2, None, VALID),
}


def _same(size: int, kernel: int, stride: int) -> list[int]:
    """TensorFlow's SAME padding of one axis."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return [total // 2, total - total // 2]


class Stem:
    """A file that subtracts MEAN, pads with zeros and convolves; and what it must return."""

    def __init__(self, path: Path, name: str, *, bias: bool = True, mean: np.ndarray = MEAN) -> None:
        rng = np.random.default_rng(5)
        self.mean = mean
        self.kernel, self.stride, pads, padding = GEOMETRIES[name]
        self.weight = rng.normal(0, 0.01, (4, self.kernel, self.kernel, 3)).astype(np.float32)
        self.bias = rng.normal(0, 1, 4).astype(np.float32) * bias
        sides = [_same(size, self.kernel, self.stride) for size in (HEIGHT, WIDTH)]
        self.pads = pads or (sides if padding == SAME else [[0, 0], [0, 0]])
        small = SmallModel()
        image = small.tensor(INPUT_NAME, "float32", [1, HEIGHT, WIDTH, 3])
        entry = small.tensor("less", "float32", [1, HEIGHT, WIDTH, 3])
        small.add(
            "SUB", [image, small.constant("mean", mean.reshape(1, 1, 1, 3) if mean.ndim else mean)], [entry]
        )
        if pads is not None:
            around = np.int32([[0, 0], *pads, [0, 0]])
            padded = small.tensor("padded", "float32", [1, HEIGHT + sum(pads[0]), WIDTH + sum(pads[1]), 3])
            small.add("PAD", [entry, small.constant("sides", around)], [padded])
            entry = padded
        self.photograph = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        self.expected = self._computed()
        out = small.tensor("stem", "float32", list(self.expected.shape))
        constants = [small.constant("weight", self.weight)]
        constants += [small.constant("bias", self.bias)] if bias else []
        small.add(
            "CONV_2D", [entry, *constants], [out], strideH=self.stride, strideW=self.stride, padding=padding
        )
        small.sign([image], [out])
        self.file = small.write(path / "stem.tflite", [image], [out])
        self.folded = path / "folded.tflite"
        model = read_model(self.file)
        for each in PASSES:
            each(model)
        number_names(model)
        write_model(model, self.folded)

    def _computed(self) -> np.ndarray:
        image = np.pad(self.photograph - self.mean.reshape(-1).astype(np.float64), [*self.pads, (0, 0)])
        filters = torch.tensor(self.weight, dtype=torch.float64).permute(0, 3, 1, 2)
        batch = torch.tensor(image).permute(2, 0, 1)[None]
        result = F.conv2d(batch, filters, torch.tensor(self.bias, dtype=torch.float64), self.stride)
        return result.permute(0, 2, 3, 1).numpy()

    def values(self, file: Path) -> np.ndarray:
        running = TfliteInterpreter(file)
        running.run(self.photograph)
        return running.value(running.outputs[0])


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_copy_stands_for_subtracting_and_padding(tmp_path: Path, name: str) -> None:
    stem = Stem(tmp_path, name)
    assert set(read_graph(stem.folded).require_builtin()) <= {"CONCATENATION", "CONV_2D"}
    np.testing.assert_allclose(stem.values(stem.folded), stem.expected, atol=1e-4)


def test_a_convolution_without_a_bias_gets_one(tmp_path: Path) -> None:
    stem = Stem(tmp_path, "SAME, stride 2", bias=False)
    np.testing.assert_allclose(stem.values(stem.folded), stem.expected, atol=1e-4)


def test_one_mean_for_all_channels_is_a_mean(tmp_path: Path) -> None:
    stem = Stem(tmp_path, "SAME, stride 1", mean=np.float32(127.5))
    assert set(read_graph(stem.folded).require_builtin()) <= {"CONCATENATION", "CONV_2D"}
    np.testing.assert_allclose(stem.values(stem.folded), stem.expected, atol=1e-4)


def test_in_int8_a_pixel_stays_a_byte_and_the_border_is_the_mean(tmp_path: Path) -> None:
    stem = Stem(tmp_path, "a PAD of all sides, stride 2")
    graph, made = read_graph(stem.folded), tmp_path / "int8.tflite"
    bounds = {"stem": (-10.0, 10.0), **dict.fromkeys(pixels(graph), PIXELS)}
    apply_recipe(Recipe("int8", (LayerRule(".", "int8"),)), stem.folded, bounds, made)
    tensors = {one.name: one for one in read_graph(made).tensors}
    assert {tensors[name].scale for name in (f"{INPUT_NAME}/int8", f"{INPUT_NAME}/rows")} == {(1.0, -128)}
    border = [one for name, one in tensors.items() if name.startswith(f"{INPUT_NAME}/mean")]
    assert len(border) == 2
    for one in border:
        assert one.constant is not None
        levels = (one.constant.astype(int) + 128).reshape(-1, 3)
        np.testing.assert_array_equal(levels, np.broadcast_to(MEAN, levels.shape))
    step = 20 / 255
    assert np.abs(stem.values(made) - np.clip(stem.expected, -10, 10)).mean() < step


def test_it_stays_where_anything_else_reads_the_difference(tmp_path: Path) -> None:
    small = SmallModel()
    image = small.tensor(INPUT_NAME, "float32", [1, 2, 2, 3])
    less, twice = (small.tensor(name, "float32", [1, 2, 2, 3]) for name in ("less", "twice"))
    small.add("SUB", [image, small.constant("mean", MEAN)], [less])
    small.add("ADD", [less, less], [twice])
    small.sign([image], [twice])
    model = read_model(small.write(tmp_path / "two.tflite", [image], [twice]))
    for each in PASSES:
        each(model)
    write_model(model, tmp_path / "same.tflite")
    assert list(read_graph(tmp_path / "same.tflite").require_builtin()) == ["ADD", "SUB"]
