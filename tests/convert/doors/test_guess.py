"""A spec guessed from outputs: right for published detectors, and plain about what shapes cannot tell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmark.front_door import main
from calibration_data.image_set import ImageSet
from convert.doors.guess import guess_spec
from model.evaluation.loop import evaluate
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model
from tests.constant_onnx import constant_network


def _network(path: Path, outputs: dict[str, tuple[int, ...]]) -> Path:
    return constant_network(path, {name: np.zeros(shape, np.float32) for name, shape in outputs.items()})


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
    file = _network(tmp_path / "net.onnx", {"output0": (1, 6, 84)})
    spec = DetectorSpec.from_json(guess_spec(file, "64").spec)
    assert (spec.decoder, spec.anchor_count, spec.points) == ("boxes", 84, 0)
    assert (spec.boxes_from, spec.scores_from) == (("output0.T[0:4]",), ("output0.T[4:6]",))
    assert spec.classes == ("class_0", "class_1")
    model = onnx.load(file)
    entry = model.metadata_props.add()
    entry.key, entry.value = "names", "{0: 'human face', 1: 'mask'}"
    onnx.save(model, file)
    assert DetectorSpec.from_json(guess_spec(file, "64").spec).class_names == ("human_face", "mask")


def test_yolov5_has_three_anchors_a_cell_and_an_objectness(tmp_path: Path) -> None:
    spec = DetectorSpec.from_json(guess_spec(_network(tmp_path / "net.onnx", {"o": (1, 252, 7)}), "64").spec)
    assert spec.objectness_from == ("o[4:5]",)
    assert (spec.scores_from, spec.classes) == (("o[5:7]",), ("class_0", "class_1"))
    assert spec.output_shapes[1] == (1, 252, 3)


def test_distributions_of_distances_beside_classes(tmp_path: Path) -> None:
    sides = {8: 16, 16: 8}
    shapes = {
        f"{kind}{stride}": (1, side * side, width)
        for stride, side in sides.items()
        for kind, width in (("c", 10), ("d", 32))
    }
    spec = DetectorSpec.from_json(guess_spec(_network(tmp_path / "net.onnx", shapes), "128").spec)
    assert (spec.decoder, spec.strides) == ("cell_distances:centre", (8, 16))
    assert (spec.boxes_from, spec.scores_from) == (("dfl(d8)", "dfl(d16)"), ("c8", "c16"))
    assert len(spec.classes) == spec.score_channels == 10


def test_boxes_beside_several_classes(tmp_path: Path) -> None:
    file = _network(tmp_path / "net.onnx", {"boxes": (1, 84, 4), "scores": (1, 84, 21)})
    spec = DetectorSpec.from_json(guess_spec(file, "64").spec)
    assert (spec.decoder, spec.score_channels, len(spec.classes)) == ("anchor_offsets", 21, 20)


def test_maps_of_centres(tmp_path: Path) -> None:
    shapes = {"h": (1, 1, 16, 16), "s": (1, 2, 16, 16), "o": (1, 2, 16, 16), "l": (1, 10, 16, 16)}
    spec = DetectorSpec.from_json(guess_spec(_network(tmp_path / "net.onnx", shapes), "64").spec)
    assert (spec.decoder, spec.strides, spec.boxes_from) == ("heatmap", (4,), ("o.T|s.T",))
    assert spec.output_shapes == ((1, 256, 4), (1, 256, 1), (1, 256, 10))


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
