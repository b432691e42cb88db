"""A small folder of drawn photographs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from model.training.recipe import Recipe
from model.training.samples.album import Album
from model.training.samples.photographs import read_folder
from model.training.sources import faces_in, open_album


@pytest.fixture(autouse=True)
def one_thread():
    """Bit-for-bit equality needs the same split of sums; and these networks are too small for two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def labelled_folder(tmp_path: Path) -> Path:
    """Forty drawings of one or two bright "faces" on noise, with RetinaFace's label.txt."""
    folder = tmp_path / "drawn_train"
    (folder / "images").mkdir(parents=True)
    draw = np.random.default_rng(5)
    lines = []
    for index in range(40):
        image = draw.integers(0, 60, (120, 160, 3)).astype(np.uint8)
        lines.append(f"# {index}.png")
        for _ in range(1 + index % 2):
            x, y, side = int(draw.integers(0, 120)), int(draw.integers(0, 80)), int(draw.integers(20, 40))
            cv2.rectangle(image, (x, y), (x + side - 1, y + side - 1), (220, 180, 160), -1)
            points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
            marks = " ".join(f"{x + side * u:.2f} {y + side * v:.2f} 1.0" for u, v in points)
            lines.append(f"{x} {y} {side} {side} {marks} 0.9")
        cv2.imwrite(str(folder / "images" / f"{index}.png"), image)
    (folder / "label.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


SMALL = Recipe(samples=24, pictures=2, sides=(64,), side_shares=(1.0,), warm_up=0.0, hold=0.5, trust=0.0)
"""A training of twelve steps of views of 64 pixels: 50 of them count as two of 320."""


@pytest.fixture
def drawn_album(labelled_folder: Path) -> Album:
    """The drawn photographs, with their marks."""
    photographs = read_folder(labelled_folder)
    album, scales = open_album(photographs)
    return album.with_faces([faces_in(p, s, None) for p, s in zip(photographs, scales, strict=True)])


@pytest.fixture(scope="session")
def small_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file laid out as SCRFD's are, of one convolution a level."""
    draw = np.random.default_rng(0)
    values, nodes, outputs = [], [], []

    def layer(given: str, name: str, channels: tuple[int, int], kernel: int) -> None:
        shape = (channels[1], channels[0], kernel, kernel)
        values.append(numpy_helper.from_array(draw.normal(0, 0.05, shape).astype(np.float32), name + "_w"))
        values.append(numpy_helper.from_array(np.full(channels[1], 0.1, np.float32), name + "_b"))
        attributes = {"strides": [kernel] * 2, "pads": [0] * 4, "group": 1}
        nodes.append(helper.make_node("Conv", [given, name + "_w", name + "_b"], [name], **attributes))

    layer("image", "c8", (3, 4), 8)
    layer("c8", "c16", (4, 4), 2)
    layer("c16", "c32", (4, 4), 2)
    for kind, size in (("score", 1), ("box", 4), ("point", 10)):
        shape = numpy_helper.from_array(np.array([-1, size], np.int64), kind + "_shape")
        values.append(shape)
        for level in ("c8", "c16", "c32"):
            name = f"{kind}_{level}"
            layer(level, name, (4, 2 * size), 1)
            nodes.append(helper.make_node("Transpose", [name], [name + "_t"], perm=[2, 3, 0, 1]))
            nodes.append(helper.make_node("Reshape", [name + "_t", kind + "_shape"], [name + "_r"]))
            outputs.append(name + "_r")
            if kind == "score":
                nodes.append(helper.make_node("Sigmoid", [name + "_r"], [name + "_s"]))
                outputs[-1] = name + "_s"
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, None, None])
    found = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    path = tmp_path_factory.mktemp("teacher") / "small.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "small", [given], found, values)), str(path))
    return path
