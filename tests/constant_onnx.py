"""An ONNX file whose outputs do not depend on its picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def constant_network(path: Path, outputs: Mapping[str, NDArray[np.float32]], side: int = 64) -> Path:
    """A file that takes [1, 3, side, side] and returns these arrays."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "none"], ["zero"]),
    ]
    stored, made = [numpy_helper.from_array(np.float32(0), "none")], []
    for name, values in outputs.items():
        stored.append(numpy_helper.from_array(values, f"{name}_value"))
        nodes.append(helper.make_node("Add", [f"{name}_value", "zero"], [name]))
        made.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, side, side))
    graph = helper.make_graph(nodes, "constant", [image], made, stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path
