"""What is wrong with an ONNX file is said in one line, wherever it is read."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from model.foundation.errors import InputError
from model.runtime.onnx_file import read_onnx


def _model() -> onnx.ModelProto:
    """Its tensors have no shape, as some files' outputs have none."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    node = helper.make_node("Relu", ["x"], ["y"])
    return helper.make_model(helper.make_graph([node], "one", tensors[:1], tensors[1:]))


def test_a_file_is_read(tmp_path: Path) -> None:
    onnx.save(_model(), tmp_path / "good.onnx")
    assert [node.op_type for node in read_onnx(tmp_path / "good.onnx").graph.node] == ["Relu"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such ONNX file"),
        (b"", "no ONNX file, or it is damaged"),
        (b"no protobuf at all", "no ONNX file, or it is damaged"),
        (_model().SerializeToString()[:-20], "no ONNX file, or it is damaged"),
    ],
)
def test_what_is_none_is_said_in_one_line(content: bytes | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_onnx(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def _with_weight(shape: list[int], values: int, reads: str = "w", kind: str = "Add") -> bytes:
    """A graph whose stored tensor says that it has a shape, and holds so many values."""
    model = _model()
    model.graph.initializer.append(TensorProto(name="w", data_type=1, dims=shape, raw_data=bytes(4 * values)))
    model.graph.node[0].op_type = kind
    model.graph.node[0].input.append(reads)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_with_weight([2, 2], 3), "damaged .*reshape"),
        (_with_weight([1], 1, reads="nothing"), "reads nothing, which nothing before it computes"),
        (_with_weight([1], 1, kind="Where"), "has 2 of 3 inputs"),
    ],
)
def test_a_graph_that_contradicts_itself_is_damaged(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "odd.onnx").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_onnx(tmp_path / "odd.onnx")


def test_a_file_of_an_older_form_is_read(tmp_path: Path) -> None:
    """Unsqueeze took its axes as an attribute before version 13; such files are around (YuNet)."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    node = helper.make_node("Unsqueeze", ["x"], ["y"], axes=[0])
    graph = helper.make_graph([node], "one", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)]), tmp_path / "old.onnx")
    assert len(read_onnx(tmp_path / "old.onnx").graph.node) == 1
