"""A spec guessed from outputs: right for published detectors, and plain about what shapes cannot tell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmark.front_door import main
from calibration_data.image_set import ImageSet
from convert.doors.guess import guess_spec
from model.evaluation.loop import evaluate
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model


def _network(path: Path, outputs: dict[str, tuple[int, ...]]) -> Path:
    """A file whose outputs of these shapes do not depend on its input."""
    nodes, stored, made = [], [], []
    for name, shape in outputs.items():
        stored += [numpy_helper.from_array(np.zeros(shape, np.float32), f"{name}_zero")]
        stored += [numpy_helper.from_array(np.zeros(1, np.float32), f"{name}_none")]
        nodes.append(helper.make_node("ReduceMean", ["image"], [f"{name}_mean"], keepdims=1))
        nodes.append(helper.make_node("Reshape", [f"{name}_mean", "one"], [f"{name}_one"]))
        nodes.append(helper.make_node("Mul", [f"{name}_one", f"{name}_none"], [f"{name}_off"]))
        nodes.append(helper.make_node("Add", [f"{name}_off", f"{name}_zero"], [name]))
        made.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    stored.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 64, 64))
    graph = helper.make_graph(nodes, "constant", [image], made, stored)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def test_levels_with_objectness(tmp_path: Path) -> None:
    widths = {"cls": 1, "obj": 1, "box": 4, "kps": 10}
    shapes = {
        f"{kind}_{stride}": (1, (64 // stride) ** 2, width)
        for stride in (16, 8)
        for kind, width in widths.items()
    }
    spec = DetectorSpec.from_json(guess_spec(_network(tmp_path / "net.onnx", shapes), "64").spec)
    assert (spec.decoder, spec.strides, spec.score_channels) == ("cell_sizes", (8, 16), 2)
    assert spec.scores_from == ("cls_8", "cls_16")
    assert spec.objectness_from == ("obj_8", "obj_16")
    assert spec.boxes_from == ("box_8", "box_16")


def test_one_joined_output_is_read_as_yolo_exports_it(tmp_path: Path) -> None:
    guess = guess_spec(_network(tmp_path / "net.onnx", {"output0": (1, 6, 84)}), "64")
    spec = DetectorSpec.from_json(guess.spec)
    assert (spec.decoder, spec.anchor_count, spec.points) == ("boxes", 84, 0)
    assert (spec.boxes_from, spec.scores_from) == (("output0.T[0:4]",), ("output0.T[4:6]",))
    assert any("which of the score channels" in doubt for doubt in guess.doubts)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"classes": (1, 1000)}, "no boxes and scores|has 1 channels"),
        ({"box": (1, 77, 4), "score": (1, 77, 1)}, "77 rows are no levels"),
        ({"a": (1, 64, 3), "b": (1, 64, 7)}, "found no outputs of 4 channels"),
    ],
)
def test_what_is_no_detector_is_said(
    outputs: dict[str, tuple[int, ...]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        guess_spec(_network(tmp_path / "net.onnx", outputs), "64")


@pytest.mark.parametrize("name", ["scrfd_500m", "yunet_n"])
def test_a_published_detector_finds_faces_with_its_guessed_spec(
    name: str, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, written = shared / "peers" / f"{name}.onnx", tmp_path / "spec.json"
    assert main(["guess-spec", str(file), "--output", str(written)]) == 0
    assert "not sure:" in capsys.readouterr().out
    spec = DetectorSpec.from_json(json.loads(written.read_text()))
    folder = shared / "data" / "mask_train"
    images = ImageSet.read(folder / "images", folder / "label.txt").sample(8, 0).labelled
    assert evaluate(open_model(file, spec), images, ious=(0.5,)).matched.average_precision() > 0.5
