"""A file that decodes its boxes itself, as YOLOv8's exports do, is read in front of that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convert.doors.guess import guess_spec
from convert.doors.heads import undecoded
from model.geometry.boxes import detect
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model

SIDE, BINS, CLASSES, STRIDES = 64, 8, 2, (8, 16, 32)
CELLS = [(SIDE // stride) ** 2 for stride in STRIDES]
SPEC = DetectorSpec(
    "joined", SIDE, SIDE, "RGB", (0.0, 0.0, 0.0), anchor_sizes=((1,), (1,), (1,)), std=(255.0, 255.0, 255.0),
    score_channels=CLASSES, points=0, decoder="boxes",
    boxes_from=("out.T[0:4]",), scores_from=("out.T[4:6]",),
)  # fmt: skip


def _decoding_file(path: Path, unit: float = 1.0) -> Path:
    """Heads that are convolutions of the image, decoded as Ultralytics does; `unit` scales the boxes."""
    rng = np.random.default_rng(0)
    points = [np.indices((SIDE // stride,) * 2)[::-1].reshape(1, 2, -1) + 0.5 for stride in STRIDES]
    stored = {
        "map_shape": np.int64([1, 4 * BINS + CLASSES, -1]), "bins_shape": np.int64([1, 4, BINS, sum(CELLS)]),
        "sides_shape": np.int64([1, 4, sum(CELLS)]), "widths": np.int64([4 * BINS, CLASSES]),
        "halves": np.int64([2, 2]),
        "bins": np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1), "two": np.float32(2),
        "strides": unit * np.repeat(np.float32(STRIDES), CELLS)[None],
        "points": np.concatenate(points, 2).astype(np.float32),
    }  # fmt: skip
    nodes = []
    for stride in STRIDES:
        for kind, width in (("box", 4 * BINS), ("class", CLASSES)):
            stored[f"{kind}{stride}_w"] = rng.normal(0, 4 / stride, (width, 3, stride, stride)).astype(
                np.float32
            )
            inputs, made = ["image", f"{kind}{stride}_w"], [f"{kind}{stride}"]
            nodes.append(helper.make_node("Conv", inputs, made, strides=[stride, stride], name=made[0]))
        heads, joined = [f"box{stride}", f"class{stride}"], f"joined{stride}"
        nodes.append(helper.make_node("Concat", heads, [joined], axis=1))
        nodes.append(helper.make_node("Reshape", [joined, "map_shape"], [f"flat{stride}"]))
    for kind, inputs, outputs, options in (
        ("Concat", [f"flat{stride}" for stride in STRIDES], ["all"], {"axis": 2}),
        ("Split", ["all", "widths"], ["boxes", "classes"], {"axis": 1}),
        ("Reshape", ["boxes", "bins_shape"], ["by_side"], {}),
        ("Transpose", ["by_side"], ["by_bin"], {"perm": [0, 2, 1, 3]}),
        ("Softmax", ["by_bin"], ["shares"], {"axis": 1}),
        ("Conv", ["shares", "bins"], ["mean"], {}),
        ("Reshape", ["mean", "sides_shape"], ["sides"], {}),
        ("Split", ["sides", "halves"], ["before", "behind"], {"axis": 1}),
        ("Sub", ["points", "before"], ["low"], {}),
        ("Add", ["points", "behind"], ["high"], {}),
        ("Add", ["low", "high"], ["sum"], {}),
        ("Div", ["sum", "two"], ["centre"], {}),
        ("Sub", ["high", "low"], ["size"], {}),
        ("Concat", ["centre", "size"], ["cells"], {"axis": 1}),
        ("Mul", ["cells", "strides"], ["pixels"], {}),
        ("Sigmoid", ["classes"], ["scores"], {}),
        ("Concat", ["pixels", "scores"], ["out"], {"axis": 1}),
    ):
        nodes.append(helper.make_node(kind, inputs, outputs, **options))
    graph = helper.make_graph(
        nodes, "yolo",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 4 + CLASSES, sum(CELLS)])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_the_guess_reads_heads_and_finds_the_same_boxes(tmp_path: Path) -> None:
    file = _decoding_file(tmp_path / "joined.onnx")
    guess = guess_spec(file, str(SIDE))
    spec = DetectorSpec.from_json(guess.spec)
    assert spec.decoder == "cell_distances:centre"
    assert spec.boxes_from == ("dfl(box8.T)", "dfl(box16.T)", "dfl(box32.T)")
    assert spec.scores_from == ("sigmoid(class8.T)", "sigmoid(class16.T)", "sigmoid(class32.T)")
    assert any("in front of that" in reason for reason in guess.reasons)
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    own, heads = (detect(*open_model(file, one)(pixels), one, 0.5) for one in (SPEC, spec))
    assert len(own.scores) > 3
    np.testing.assert_allclose(heads.boxes_xyxy, own.boxes_xyxy, atol=1e-3)
    np.testing.assert_allclose(heads.scores, own.scores, atol=1e-5)


@pytest.mark.parametrize("unit", [1.01, 1 / SIDE])
def test_heads_that_are_decoded_in_another_way_are_left_alone(unit: float, tmp_path: Path) -> None:
    assert undecoded(_decoding_file(tmp_path / "joined.onnx", unit), SPEC) is None
