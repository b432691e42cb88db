"""Each rule about cost finds what was planted, says what it costs, and is silent about the sound graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from convert.onnx_file.graph import OnnxGraph
from quantize.inspect.lint.findings import Finding
from quantize.inspect.lint.linting import lint

SIDE = 80


def _node(kind: str, source: str, target: str, *more: str, **attributes: Any) -> Any:
    return helper.make_node(kind, [source, *more], [target], name=target, **attributes)


def _found(channels: int, nodes: list[Any], **weights: list[int]) -> list[Finding]:
    """The notes on a graph that reads `image` [1, channels, SIDE, SIDE] and returns y."""
    graph = helper.make_graph(
        nodes,
        "planted",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    return lint(OnnxGraph.of(model), weights=False)


CONV = _node("Conv", "image", "y", "w")
PAIR = {"kernel_shape": [2, 2], "strides": [2, 2]}


@pytest.mark.parametrize(
    ("rule", "times", "planted", "sound"),
    [
        ("narrow_outputs", "8", (16, [CONV], {"w": [2, 16, 1, 1]}), (16, [CONV], {"w": [32, 16, 1, 1]})),
        (
            "narrow_depthwise", "2.2",
            (8, [_node("Conv", "image", "y", "w", group=8)], {"w": [8, 1, 3, 3]}),
            (16, [_node("Conv", "image", "y", "w", group=16)], {"w": [16, 1, 3, 3]}),
        ),
        (
            "wide_depthwise", "15",
            (16, [_node("Conv", "image", "y", "w", group=16)], {"w": [16, 1, 7, 7]}),
            (16, [_node("Conv", "image", "y", "w", group=16)], {"w": [16, 1, 5, 5]}),
        ),
        (
            "unfused_activation", "44",
            (16, [_node("MaxPool", "image", "a", **PAIR), _node("Relu", "a", "y")], {}),
            (16, [_node("Conv", "image", "a", "w"), _node("Relu", "a", "y")], {"w": [16, 16, 1, 1]}),
        ),
        (
            "repeated_constant", "8.6",
            (3, [_node("Mul", "image", "y", "w")], {"w": [1, 3, 1, 1]}),
            (3, [_node("Sub", "image", "a", "m"), _node("Conv", "a", "y", "w")],
             {"m": [1, 3, 1, 1], "w": [16, 3, 1, 1]}),
        ),
        (
            "average_pool", "4.2",
            (16, [_node("AveragePool", "image", "y", **PAIR)], {}),
            (16, [_node("MaxPool", "image", "y", **PAIR)], {}),
        ),
        (
            "space_to_depth", "5.3",
            (16, [_node("SpaceToDepth", "image", "y", blocksize=2)], {}),
            (16, [_node("Conv", "image", "y", "w", strides=[2, 2])], {"w": [16, 16, 2, 2]}),
        ),
    ],
)  # fmt: skip
def test_it_is_found_with_its_price_and_absent_in_the_sound_graph(
    rule: str, times: str, planted: Any, sound: Any
) -> None:
    def look(channels: int, nodes: list[Any], weights: dict[str, list[int]]) -> list[Finding]:
        return _found(channels, nodes, **weights)

    (finding,) = look(*planted)
    assert (finding.rule, finding.layer, finding.level) == (rule, "y", "note")
    assert finding.reason.startswith(f"costs {times} times the best, ")
    assert look(*sound) == []


def test_an_activation_that_leaves_its_input_to_others_is_said() -> None:
    nodes = [_node("Conv", "image", "a", "w"), _node("Relu", "a", "b"), _node("Add", "a", "y", "b")]
    (finding,) = _found(16, nodes, w=[16, 16, 1, 1])
    assert "others read it unclamped" in finding.reason


def test_what_wastes_little_is_not_said() -> None:
    assert _found(16, [CONV], w=[15, 16, 1, 1]) == []
