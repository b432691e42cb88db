"""The graph of files whose content is known, because it was written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.tflite.graph import Graph, read_graph
from model.foundation.errors import GateError, InputError
from tests.conftest import Converted
from tests.small_tflite import SmallModel


def test_a_file_without_operators(tmp_path: Path) -> None:
    small = SmallModel()
    entry = small.tensor("image", "float32", [1, 2])
    graph = read_graph(small.write(tmp_path / "empty.tflite", [entry], [entry]))
    assert (graph.operators, graph.layers, graph.activations) == ((), [], [entry])
    assert (dict(graph.constant_bytes), dict(graph.makers)) == ({}, {})
    assert graph.require_builtin() == {}


def test_multiply_accumulates_of_each_kind(tmp_path: Path) -> None:
    """One output element sums as many products as its channel has weights."""
    small = SmallModel()
    image = small.tensor("image", "float32", [1, 4, 6, 3])
    row, other = small.tensor("row", "float32", [2, 5]), small.tensor("other", "float32", [5, 7])
    sizes = small.constant("sizes", np.int32([1, 8, 12, 5]))

    def weight(*shape: int) -> int:
        return small.constant(f"w{shape}", np.ones(shape, np.float32))

    planted = [
        ("CONV_2D", [image, weight(5, 3, 3, 3)], [1, 4, 6, 5], 4 * 6 * 5 * 27),
        ("DEPTHWISE_CONV_2D", [image, weight(1, 3, 3, 3)], [1, 4, 6, 3], 4 * 6 * 3 * 9),
        ("FULLY_CONNECTED", [row, weight(9, 5), -1], [2, 9], 2 * 9 * 5),
        ("TRANSPOSE_CONV", [sizes, weight(5, 2, 2, 3), image], [1, 8, 12, 5], 4 * 6 * 3 * 20),
        ("BATCH_MATMUL", [row, other], [2, 7], 2 * 7 * 5),
        ("RELU", [image], [1, 4, 6, 3], 0),
    ]
    made = []
    for kind, inputs, shape, _ in planted:
        made.append(small.tensor(kind.lower(), "float32", shape))
        small.add(kind, inputs, [made[-1]])
    graph = read_graph(small.write(tmp_path / "kinds.tflite", [image, row, other], made))
    assert [(one.kind, one.macs) for one in graph.operators] == [(kind, macs) for kind, _, _, macs in planted]
    assert graph.operators[2].inputs[2] == -1
    assert len(graph.operators[2].reads) == 2


def test_what_a_shared_buffer_stores_counts_once(tmp_path: Path) -> None:
    small = SmallModel()
    entry = small.tensor("x", "float32", [4])
    first = small.constant("first", np.ones(4, np.float32))
    second = small.tensor("second", "float32", [4])
    small.graph.tensors[second].buffer = small.graph.tensors[first].buffer
    made = [small.tensor(name, "float32", [4]) for name in ("a", "b")]
    for constant, result in zip((first, second), made, strict=True):
        small.add("ADD", [entry, constant], [result])
    graph = read_graph(small.write(tmp_path / "shared.tflite", [entry], made))
    assert graph.constant_bytes == {"float32": 16}
    np.testing.assert_array_equal(graph.tensors[second].constant, np.ones(4, np.float32))
    assert graph.computed == {entry, *made}


def test_a_type_that_numpy_lacks_is_named_when_its_values_are_asked_for(tmp_path: Path) -> None:
    small = SmallModel()
    entry = small.tensor("x", "float32", [4])
    packed = small.constant("packed", np.ones(2, np.int8), [0.1])
    small.graph.tensors[packed].type = 17  # INT4
    result = small.tensor("y", "float32", [4])
    small.add("FULLY_CONNECTED", [entry, packed], [result])
    stored = Graph.of(small.model).tensors[packed]
    assert stored.type == "int4"
    with pytest.raises(ValueError, match="packed.*int4"):
        _ = stored.constant


def test_a_custom_operator_is_refused(tmp_path: Path) -> None:
    small = SmallModel()
    entry, result = (small.tensor(name, "float32", [1]) for name in ("x", "y"))
    small.add("CUSTOM", [entry], [result])
    small.model.operatorCodes[0].customCode = "FlexErf"
    graph = read_graph(small.write(tmp_path / "custom.tflite", [entry], [result]))
    with pytest.raises(GateError, match="FlexErf"):
        graph.require_builtin()


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such"):
        read_graph(tmp_path / "absent.tflite")


def test_layers_carry_the_networks_names(converted: Converted) -> None:
    graph = read_graph(converted.float32)
    names = [tensor.name for tensor in graph.tensors]
    assert len(set(names)) == len(names)
    made_by = {one.layer: one.kind for one in graph.operators}
    assert made_by["backbone/stem"] == "CONV_2D"
    assert made_by["backbone/stage3/3/depthwise"] == "DEPTHWISE_CONV_2D"
    assert made_by["context/layer/pointwise:2"] == "CONV_2D"  # shared by three levels
    assert made_by["heads/landmarks"] == "FULLY_CONNECTED"
    assert "attention/1/squeeze/weight" in names
