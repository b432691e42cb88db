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
