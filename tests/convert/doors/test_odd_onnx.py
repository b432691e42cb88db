"""ONNX files as strangers export them: channels last, another fixed size, a suppression behind the boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from convert.doors.onnx import open_onnx
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model

RNG = np.random.default_rng(0)
SPEC = DetectorSpec(
    "odd", 32, 64, "RGB", (0.0, 0.0, 0.0), (0, 0, 0), (16,), ((1,),), score_channels=1, points=0,
    decoder="boxes:corners", boxes_from=("rows[0:4]",), scores_from=("rows[4:5]",),
)  # fmt: skip


def _save(path: Path, image: list[int], suppress: bool = False, rows: int = -1) -> Path:
    """A convolution of stride 16 to rows of five; boxes that were suppressed behind it, if wanted."""
    last = image[3] == 3
    nodes = [helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2])] if last else []
    nodes += [
        helper.make_node(
            "Conv", ["first" if last else "image", "weight"], ["map"], strides=[16, 16], name="conv"
        ),
        helper.make_node("Transpose", ["map"], ["turned"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["turned", "shape"], ["rows"]),
    ]
    stored = {
        "weight": RNG.random((5, 3, 16, 16), np.float32) / 1e5,
        "shape": np.array([1, rows, 5], np.int64),
    }
    name, kind = "rows", TensorProto.FLOAT
    if suppress:
        stored |= {
            "start": np.array([0, 4], np.int64),
            "end": np.array([4, 5], np.int64),
            "two": np.array([2], np.int64),
        }
        stored |= {"most": np.array([9], np.int64), "iou": np.float32([0.5])}
        stored |= {f"at_{n}": np.array([n], np.int64) for n in (0, 4, 5)}
        nodes += [
            helper.make_node("Slice", ["rows", "at_0", "at_4", "two"], ["boxes"]),
            helper.make_node("Slice", ["rows", "at_4", "at_5", "two"], ["score_rows"]),
            helper.make_node("Transpose", ["score_rows"], ["scores"], perm=[0, 2, 1]),
            helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou"], ["kept"]),
        ]
        name, kind = "kept", TensorProto.INT64
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info(name, kind, None)],
        [numpy_helper.from_array(array, label) for label, array in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("image", "suppress"), [([1, 32, 64, 3], False), ([10, 3, 16, 16], False), ([1, 3, 32, 64], True)]
)
def test_the_door_and_the_runtime_read_the_same(image: list[int], suppress: bool, tmp_path: Path) -> None:
    file = _save(tmp_path / "odd.onnx", image, suppress)
    pixels = RNG.integers(0, 256, (32, 64, 3), np.uint8)
    boxes, scores, _ = open_model(file, SPEC)(pixels)
    network = open_onnx(file, SPEC).network
    with torch.no_grad():
        (rows,) = network(torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32)))
    np.testing.assert_allclose(np.concatenate([boxes, scores], axis=2), rows.numpy(), rtol=1e-5, atol=1e-6)
    assert rows.shape == (1, 8, 5)
    assert float(rows.abs().max()) > 0.01


def test_a_suppression_is_named_with_what_it_reads(tmp_path: Path) -> None:
    from convert.doors.guess import guess_spec

    file = _save(tmp_path / "odd.onnx", [1, 3, 32, 64], suppress=True)
    with pytest.raises(InputError, match="NonMaxSuppression.*reads boxes and scores: name these"):
        guess_spec(file, "32x64")


def test_a_size_that_the_graph_forbids_is_said(tmp_path: Path) -> None:
    file = _save(tmp_path / "odd.onnx", [1, 3, 16, 16], rows=1)
    with pytest.raises(InputError, match=r"cannot run on an input of shape \[1, 3, 32, 64\]"):
        open_onnx(file, SPEC)
    with pytest.raises(InputError, match=r"the spec names absent; the file has the outputs rows"):
        open_onnx(file, DetectorSpec(**{**SPEC.__dict__, "boxes_from": ("absent",)}))


def test_an_input_that_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected an image .* found \[1, 4, 32, 64\]"):
        open_onnx(_save(tmp_path / "odd.onnx", [1, 4, 32, 64]), SPEC)
