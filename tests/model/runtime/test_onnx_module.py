"""Every operator of an ONNX graph computes in PyTorch what ONNX Runtime computes; others are named."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.foundation.errors import InputError
from model.runtime.onnx_module import OnnxModule

SHAPE = (1, 4, 6, 8)
OPSET = 18


def _graph(
    kind: str,
    constants: list[NDArray[Any] | None],
    attributes: dict[str, Any],
    outputs: int = 1,
    opset: int = OPSET,
) -> onnx.ModelProto:
    names = ["x", *("" if value is None else f"c{i}" for i, value in enumerate(constants))]
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(kind, names, made, name="layer", **attributes)
    stored = [
        numpy_helper.from_array(value, f"c{i}") for i, value in enumerate(constants) if value is not None
    ]
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in made],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def _f(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).uniform(0.2, 1, shape).astype(np.float32)


def _i(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


CASES: list[tuple[str, list[NDArray[Any] | None], dict[str, Any], int, int]] = [
    ("Conv", [_f(6, 4, 3, 3), _f(6)], {"pads": [1, 1, 1, 1], "strides": [2, 2]}, 1, OPSET),
    ("Conv", [_f(6, 4, 3, 3)], {"pads": [0, 0, 1, 1], "strides": [2, 2]}, 1, OPSET),
    ("Conv", [_f(6, 4, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 1, OPSET),
    ("Conv", [_f(6, 4, 4, 3)], {"auto_pad": "SAME_LOWER", "strides": [3, 1]}, 1, OPSET),
    ("MaxPool", [], {"auto_pad": "SAME_UPPER", "kernel_shape": [2, 3], "strides": [2, 2]}, 1, OPSET),
    ("Conv", [_f(4, 1, 3, 3)], {"pads": [2, 2, 2, 2], "dilations": [2, 2], "group": 4}, 1, OPSET),
    ("ConvTranspose", [_f(4, 3, 2, 2), _f(3)], {"strides": [2, 2]}, 1, OPSET),
    (
        "ConvTranspose",
        [_f(4, 1, 3, 3)],
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1], "group": 4},
        1,
        OPSET,
    ),
    ("BatchNormalization", [_f(4), _f(4), _f(4), _f(4)], {"epsilon": 1e-3}, 1, OPSET),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 1, OPSET),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}, 1, OPSET),
    ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}, 1, OPSET),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, 1, OPSET),
    ("GlobalAveragePool", [], {}, 1, OPSET),
    ("Relu", [], {}, 1, OPSET),
    ("LeakyRelu", [], {"alpha": 0.2}, 1, OPSET),
    ("PRelu", [_f(4, 1, 1)], {}, 1, OPSET),
    ("HardSigmoid", [], {"alpha": 0.2, "beta": 0.4}, 1, OPSET),
    ("HardSwish", [], {}, 1, OPSET),
    ("Sigmoid", [], {}, 1, OPSET),
    ("Softmax", [], {"axis": 1}, 1, OPSET),
    ("Clip", [np.float32(0), np.float32(6)], {}, 1, OPSET),
    ("Clip", [None, np.float32(0.5)], {}, 1, OPSET),
    ("Clip", [], {"min": -0.5, "max": 0.5}, 1, 9),
    ("Add", [_f(4, 1, 1)], {}, 1, OPSET),
    ("Sub", [_f(4, 1, 1)], {}, 1, OPSET),
    ("Mul", [_f(1)], {}, 1, OPSET),
    ("Div", [_f(4, 1, 1)], {}, 1, OPSET),
    ("Concat", [_f(1, 2, 6, 8)], {"axis": 1}, 1, OPSET),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}, 1, OPSET),
    ("Reshape", [_i(0, -1, 8)], {}, 1, OPSET),
    ("Flatten", [], {}, 1, OPSET),
    ("Squeeze", [_i(0)], {}, 1, OPSET),
    ("Squeeze", [], {"axes": [0]}, 1, 11),
    ("Unsqueeze", [_i(0, -1)], {}, 1, OPSET),
    ("Slice", [_i(1, -4), _i(3, 100), _i(1, 3), _i(1, 2)], {}, 1, OPSET),
    ("Slice", [], {"starts": [1], "ends": [3], "axes": [2]}, 1, 9),
    ("Split", [_i(1, 3)], {"axis": 1}, 2, OPSET),
    ("Split", [], {"axis": 1, "split": [2, 2]}, 2, 11),
    ("Gather", [_i(2, 0)], {"axis": 1}, 1, OPSET),
    ("Gather", [np.array(1, np.int64)], {"axis": 1}, 1, OPSET),
    ("Pad", [_i(0, 0, 1, 2, 0, 0, 3, 0), np.float32(0.5)], {}, 1, OPSET),
    ("Pad", [_i(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "reflect"}, 1, OPSET),
    ("Pad", [_i(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "edge"}, 1, OPSET),
    ("Resize", [None, np.array([1, 1, 2, 2], np.float32)], {"mode": "nearest"}, 1, OPSET),
    ("Resize", [None, None, _i(1, 4, 12, 16)], {"mode": "linear"}, 1, OPSET),
    (
        "Resize",
        [None, np.array([1, 1, 2, 2], np.float32)],
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        1,
        OPSET,
    ),
    ("Upsample", [np.array([1, 1, 2, 2], np.float32)], {"mode": "nearest"}, 1, 9),
    ("ReduceMean", [_i(2, 3)], {}, 1, OPSET),
    ("ReduceMean", [], {"axes": [2, 3], "keepdims": 0}, 1, 11),
    ("ReduceMax", [_i(1)], {}, 1, OPSET),
]


@pytest.mark.parametrize(
    ("kind", "constants", "attributes", "outputs", "opset"),
    CASES,
    ids=[f"{c[0]}_{i}" for i, c in enumerate(CASES)],
)
def test_an_operator_computes_what_onnx_runtime_computes(
    kind: str, constants: list[NDArray[Any] | None], attributes: dict[str, Any], outputs: int, opset: int
) -> None:
    model = _graph(kind, constants, attributes, outputs, opset)
    x = np.random.default_rng(1).normal(0, 2, SHAPE).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x})
    found = OnnxModule(model)(torch.from_numpy(x))
    assert len(found) == outputs
    for one, other in zip(expected, found, strict=True):
        assert one.shape == tuple(other.shape)
        np.testing.assert_allclose(other.numpy(), one, rtol=1e-5, atol=1e-5)


def test_a_gemm_multiplies_its_factors_in() -> None:
    weight, bias = _f(5, 192), _f(5)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["f"]),
            helper.make_node("Gemm", ["f", "w", "b"], ["y"], alpha=0.5, beta=2.0, transB=1),
        ],
        "gemm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 5))],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    x = _f(*SHAPE)
    (found,) = OnnxModule(helper.make_model(graph))(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), 0.5 * x.reshape(1, -1) @ weight.T + 2 * bias, rtol=1e-5)


def test_what_is_not_known_is_named_with_its_domain() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("GridSample", ["x", "x"], ["a"]),
            helper.make_node("MyLayer", ["a"], ["y"], domain="org.example"),
        ],
        "odd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)],
    )
    with pytest.raises(InputError, match=r"cannot be converted: GridSample, org\.example\.MyLayer"):
        OnnxModule(helper.make_model(graph))


def test_what_the_outputs_do_not_need_is_left_out() -> None:
    """A tail that is not supported can be cut off, at any tensor of the graph."""
    weight = _f(2, 4, 1, 1)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["map"], name="head"),
            helper.make_node("MyLayer", ["map"], ["boxes"], domain="org.example"),
            helper.make_node("Reshape", ["boxes", "map"], ["y"]),
        ],
        "tail",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    x = _f(*SHAPE)
    (found,) = OnnxModule(helper.make_model(graph), ["map"])(torch.from_numpy(x))
    expected = np.einsum("oi,nihw->nohw", weight[..., 0, 0], x)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_constants_and_weights_move_with_the_module_and_are_copied_with_it() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["map"]),
            helper.make_node("Constant", [], ["two"], value_float=2.0),
            helper.make_node("Mul", ["map", "two"], ["scaled"]),
            helper.make_node("Add", ["scaled", "shift"], ["y"]),
        ],
        "constants",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(_f(2, 4, 1, 1), "w"), numpy_helper.from_array(_f(2, 1, 1), "shift")],
    )
    module, x = OnnxModule(helper.make_model(graph)), torch.from_numpy(_f(*SHAPE))
    before = module(x)[0]
    elsewhere = copy.deepcopy(module).to("meta")
    assert elsewhere(x.to("meta"))[0].device.type == "meta"
    doubled = copy.deepcopy(module).double()
    torch.testing.assert_close(doubled(x.double())[0], before.double(), rtol=1e-5, atol=1e-6)
    assert torch.equal(module(x)[0], before)


def test_a_shape_computed_at_run_time_is_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"], name="flat")],
        "dynamic",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE),
            helper.make_tensor_value_info("shape", TensorProto.INT64, (2,)),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    with pytest.raises(InputError, match="export with a fixed size"):
        OnnxModule(helper.make_model(graph))


def test_auto_padding_and_strange_resizing_are_refused_not_guessed() -> None:
    for kind in ("Conv", "ConvTranspose"):
        with pytest.raises(InputError, match="1 dimensions"):
            OnnxModule(_graph(kind, [_f(4, 4, 3)], {}))
    with pytest.raises(InputError, match="SAME_UPPER"):
        OnnxModule(_graph("ConvTranspose", [_f(4, 6, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}))
    odd = _graph("Resize", [None, None, _i(1, 4, 7, 9)], {"mode": "cubic"})
    with pytest.raises(InputError, match="cubic"):
        OnnxModule(odd)(torch.zeros(SHAPE))


@pytest.mark.parametrize("name", ["scrfd_500m", "yunet_n", "ultra_light_rfb320"])
def test_published_detectors_compute_the_same(name: str, shared: Path) -> None:
    import onnxsim

    model = onnx.load(shared / "peers" / f"{name}.onnx")
    stored = {item.name for item in model.graph.initializer}
    image = next(item.name for item in model.graph.input if item.name not in stored)
    size = (1, 3, 96, 128) if name != "ultra_light_rfb320" else (1, 3, 240, 320)
    fixed, _ = onnxsim.simplify(model, overwrite_input_shapes={image: list(size)})
    x = np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)
    session = onnxruntime.InferenceSession(fixed.SerializeToString(), providers=["CPUExecutionProvider"])
    for one, other in zip(session.run(None, {image: x}), OnnxModule(fixed)(torch.from_numpy(x)), strict=True):
        np.testing.assert_allclose(other.numpy(), one, atol=1e-4)
