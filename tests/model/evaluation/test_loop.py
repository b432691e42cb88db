"""THE evaluation loop: whatever answers for pictures gets the same figures for the same answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from calibration_data.readers import LabelledImage
from model.evaluation import evaluate
from model.evaluation.detections import code_that_detects
from model.evaluation.loop import detect_file
from model.evaluation.metrics import METRICS
from model.evaluation.protocol import InputProtocol
from model.foundation.errors import InputError
from model.geometry.anchors import anchors
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.networks import NETWORKS, spec_of
from model.runtime.running import Answer, FunctionModel, RawOutputs, TorchModel
from model.training.losses import encode

SPEC = spec_of("featherface_v2", 64, 96)
FACE = np.array([20.0, 12.0, 44.0, 40.0], np.float32)
"""In pixels of an image that is twice the input."""


def answer_with(spec: DetectorSpec, box: np.ndarray, score: float) -> Answer:
    boxes, scores, landmarks = (np.zeros(shape, np.float32) for shape in spec.output_shapes)
    anchor = anchors(spec)
    nearest = int(np.abs(anchor[:, :2] - (box[:2] + box[2:]) / 2).sum(axis=1).argmin())
    boxes[0, nearest] = encode(torch.tensor(box), torch.tensor(anchor[nearest]), spec.variances)
    scores[0, nearest, -1] = score
    return boxes, scores, landmarks


@pytest.fixture
def images(tmp_path: Path) -> list[LabelledImage]:
    """Two photographs of twice the input's size, one face in each."""
    made = []
    for number in range(2):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (192, 128), (number, 0, 0)).save(path)
        points = np.full((1, 5, 2), np.nan, np.float32)
        made.append(LabelledImage(path, FACE[None], points, np.zeros(1, bool), path.name))
    return made


def test_a_function_that_finds_every_other_face(images: list[LabelledImage]) -> None:
    def answers(pixels: Pixels) -> Answer:
        return answer_with(SPEC, FACE / 2, 0.9 if pixels[0, 0, 0] else 0.0)

    found = evaluate(FunctionModel(answers, SPEC, "made up"), images)
    figures = found.figures()
    assert set(figures) >= {"ap50", "ap50_95", "precision", "recall"}
    assert (figures["ap50"], figures["precision"], figures["recall"]) == (0.5, 1.0, 0.5)
    assert found.threshold == SPEC.score_threshold
    assert found.matched.face_height.tolist() == [14.0, 14.0], "in pixels of the network's input"


def test_labels_that_name_classes(images: list[LabelledImage]) -> None:
    spec = replace(SPEC, classes=("cat", "face"), score_channels=2, decoder="anchor_offsets")
    images = [images[0], replace(images[1], classes=("cat",))]  # the first names none: a face

    model = FunctionModel(lambda _: answer_with(spec, FACE / 2, 0.9), spec, "made up")
    found = evaluate(model, images)
    by_class = found.figures_of_classes()
    assert {name: (count, one["ap50"]) for name, (count, one) in by_class.items()} == {
        "cat": (1, 0.0),
        "face": (1, 0.5),  # found in both photographs
    }
    assert found.figures()["ap50"] == 0.25
    single = FunctionModel(lambda _: answer_with(SPEC, FACE / 2, 0.9), SPEC, "one class")
    assert evaluate(single, images).figures()["precision"] == 0.5, "the cat's label is left out"
    dogs = [replace(one, classes=("dog",)) for one in images]
    with pytest.raises(InputError, match="finds cat, face; the labels are of dog"):
        evaluate(model, dogs)


def test_kept_photographs_and_seen_outputs(images: list[LabelledImage]) -> None:
    model = FunctionModel(lambda _: answer_with(SPEC, FACE / 2, 0.9), SPEC, "made up")
    seen: list[tuple[int, RawOutputs]] = []
    first = evaluate(model, images, ious=(0.5,), keep=True, seen=lambda *both: seen.append(both))
    images[0].path.unlink()
    again = evaluate(model, images, ious=(0.5,), keep=True)
    assert first.matched.average_precision() == again.matched.average_precision() == 1
    assert [index for index, _ in seen] == [0, 1]
    with pytest.raises(InputError, match="no such image"):
        evaluate(model, images)


def test_a_network_in_memory_runs_at_other_sizes_too(images: list[LabelledImage]) -> None:
    model = TorchModel(NETWORKS["featherface_v2"].build().eval(), SPEC)
    one = detect_file(model, images[0].path, InputProtocol("original"))
    assert (one.height, one.width) == (128, 192)
    boxes, scores, landmarks = model(np.zeros((64, 96, 3), np.uint8))
    assert (boxes.shape, scores.shape, landmarks.shape) == SPEC.output_shapes


def test_nothing_to_score_and_answers_that_are_none() -> None:
    model = FunctionModel(lambda _: answer_with(SPEC, FACE, np.nan), SPEC, "made up")
    with pytest.raises(InputError, match="no labelled image"):
        evaluate(model, [])
    short = FunctionModel(lambda _: tuple(one[:, 1:] for one in answer_with(SPEC, FACE, 0.9)), SPEC, "short")
    with pytest.raises(InputError, match="short: output boxes has shape"):
        short.run(np.zeros((64, 96, 3), np.uint8))


def test_every_metric_says_what_it_is() -> None:
    for name, metric in METRICS.items():
        assert metric.title, name
        assert metric.permitted_drift is None or 0 < metric.permitted_drift < 1


def test_all_code_that_decides_a_detection_is_hashed_and_no_metric() -> None:
    root = Path(__file__).parents[3]
    names = {path.relative_to(root).as_posix() for path in code_that_detects()}
    assert names >= {
        "calibration_data/images.py",
        "model/checkpoint.py",
        "model/evaluation/protocol.py",
        "model/geometry/letterbox.py",
        "model/layers/deformable.py",
        "model/networks/featherface_v1.py",
        "model/runtime/interpreter.py",
    }
    assert not any("metrics" in name for name in names)
