"""What a runtime says of a file that fails when it runs is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model

SPEC = DetectorSpec(
    "small", 32, 32, strides=(8,), anchor_sizes=((8,),), score_channels=1, points=0,
    output_names=("b", "s", "p"),
)  # fmt: skip


def test_an_onnx_file_that_fails_on_an_image(tmp_path: Path) -> None:
    """Its size is open, so that only the run finds rows of seven that do not come out even."""
    shapes = {"seven": [1, -1, 7], "four": [1, -1, 4], "one": [1, -1, 1]}
    stored = [numpy_helper.from_array(np.array(value), name) for name, value in shapes.items()]
    nodes = [
        helper.make_node("Reshape", ["image", "seven"], ["rows"]),
        helper.make_node("Reshape", ["rows", "four"], ["b"]),
        helper.make_node("Reshape", ["rows", "one"], ["s"]),
    ]
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])
    sides = {"b": 4, "s": 1}
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n", c]) for name, c in sides.items()]
    graph = helper.make_graph(nodes, "odd", [given], made, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(InputError, match="ONNX Runtime fails on an image"):
        open_model(tmp_path / "odd.onnx", SPEC).run(np.zeros((32, 32, 3), np.uint8))
