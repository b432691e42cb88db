"""A network of dynamic size at one size; what cannot be fixed is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from convert.onnx_file.fix_shape import fixed
from model.foundation.errors import InputError
from model.runtime.onnx_file import image_input


def _model(inputs: int = 1) -> onnx.ModelProto:
    """Reshapes its input to the size that it computes from it: [N, C, H, W] -> [N, C * H * W]."""
    given = [
        helper.make_tensor_value_info(f"x{place}", TensorProto.FLOAT, ["n", 3, "h", "w"])
        for place in range(inputs)
    ]
    nodes = [
        helper.make_node("Shape", ["x0"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["flat"], axis=0),
        helper.make_node("Reshape", ["x0", "flat"], ["rows"]),
        helper.make_node("Mul", ["rows", "weight"], ["y"]),
    ]
    made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "k"])]
    stored = {"first": np.array([0]), "rest": np.array([-1]), "weight": np.arange(96, dtype=np.float32)}
    weights = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    graph = helper.make_graph(nodes, "flat", given, made, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_what_the_size_decides_is_computed() -> None:
    model = fixed(_model(), "x0", (1, 3, 4, 8), "net.onnx")
    assert {node.op_type for node in model.graph.node} <= {"Reshape", "Flatten", "Mul"}
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(
        session.run(None, {"x0": x})[0], x.reshape(1, -1) * np.arange(96, dtype=np.float32)
    )


def test_what_cannot_be_fixed_is_said() -> None:
    with pytest.raises(InputError, match=r"net\.onnx: expected one input, an image, found 2: x0, x1"):
        image_input(_model(2), Path("net.onnx"))
    shapeless = _model()
    shapeless.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(InputError, match=r"net\.onnx cannot run on an input of shape \[1, 3, 4, 8\]: Field"):
        fixed(shapeless, "x0", (1, 3, 4, 8), "net.onnx")
