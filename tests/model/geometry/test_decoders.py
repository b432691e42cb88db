"""Decoders against others' code and formulas written out by hand; outputs cut and joined as a spec says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration_data.images import load_rgb
from model.evaluation.protocol import InputProtocol, detect_letterboxed
from model.foundation.errors import InputError
from model.geometry.boxes import detect
from model.geometry.decoders import DECODERS, best_class, decoder_of
from model.geometry.letterbox import letterbox
from model.geometry.outputs import computed_names, joined, logit_names, physical_names
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model

GOLDEN = Path(__file__).parents[2] / "golden"
CELLS = DetectorSpec("cells", 32, 64, strides=(8, 16), anchor_sizes=((1, 1), (1, 1)), score_channels=1)
YUNET = DetectorSpec(
    "yunet_n", 320, 320, "BGR", (0.0, 0.0, 0.0), (0, 0, 0), (8, 16, 32), ((8,), (16,), (32,)),
    score_channels=2, decoder="cell_sizes", nms_iou=0.3, score_threshold=0.6,
    scores_from=("cls_8", "cls_16", "cls_32"), objectness_from=("obj_8", "obj_16", "obj_32"),
    boxes_from=("bbox_8", "bbox_16", "bbox_32"), landmarks_from=("kps_8", "kps_16", "kps_32"),
)  # fmt: skip


def _spec(**changes: object) -> DetectorSpec:
    return DetectorSpec(**{**CELLS.__dict__, **changes})


@pytest.mark.parametrize("name", DECODERS)
def test_nothing_above_the_threshold_is_no_face(name: str) -> None:
    spec = _spec(decoder=name)
    rows = [np.zeros(shape, np.float32) for shape in spec.output_shapes]
    found = detect(*rows, spec)
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)


@pytest.mark.parametrize("name", DECODERS)
def test_a_detector_without_landmarks(name: str) -> None:
    spec = _spec(decoder=name, points=0)
    boxes, scores, landmarks = (np.zeros(shape, np.float32) for shape in spec.output_shapes)
    boxes[0, 5], scores[0, 5] = (8, 8, 16, 16), 0.9
    found = detect(boxes, scores, landmarks, spec)
    assert found.landmarks.shape == (1, 0, 2)


@pytest.mark.parametrize(
    ("decoder", "row", "box"),
    [
        # Candidate 5 of a 4x8 grid of stride 8 with two candidates a cell: the third cell, corner (16, 0).
        ("cell_distances", [1, 2, 3, 4], [8, -16, 40, 32]),
        ("cell_distances:centre", [1, 2, 3, 4], [12, -12, 44, 36]),
        ("cell_sizes", [0.5, 0.5, 0, np.log(2)], [16, -4, 24, 12]),
        ("boxes", [10, 20, 4, 8], [8, 16, 12, 24]),
        ("boxes:corners", [8, 16, 12, 24], [8, 16, 12, 24]),
        ("boxes:corners_shares", [0.25, 0.5, 0.5, 1], [16, 16, 32, 32]),
        ("boxes:centre_size_shares", [0.5, 0.5, 0.5, 0.5], [16, 8, 48, 24]),
        ("heatmap", [0.25, 0.75, np.log(2), 0], [22, -2, 30, 14]),
        ("heatmap:xy_plain", [0.25, 0.75, 2, 1], [10, 2, 26, 10]),
    ],
)
def test_boxes_as_written_out_by_hand(decoder: str, row: list[float], box: list[float]) -> None:
    spec = _spec(decoder=decoder)
    found = decoder_of(spec).boxes(np.array([row], np.float32), np.array([5]), spec)
    np.testing.assert_allclose(found, [box], atol=1e-5)


def test_landmarks_count_from_the_cell() -> None:
    points = np.arange(10, dtype=np.float32)[None]
    for decoder, inset in (("cell_distances", 0), ("cell_distances:centre", 4), ("cell_sizes", 0)):
        spec = _spec(decoder=decoder)
        found = decoder_of(spec).landmarks(points, np.zeros((1, 4), np.float32), np.array([5]), spec)
        np.testing.assert_allclose(found[0], points.reshape(5, 2) * 8 + np.array([16, 0]) + inset)


def test_a_score_of_two_factors() -> None:
    scores = np.array([[0.25, 1.0], [0.5, 0.5]], np.float32)
    for decoder, expected in (("cell_sizes", [0.5, 0.5]), ("cell_sizes:product", [0.25, 0.25])):
        spec = _spec(decoder=decoder)
        np.testing.assert_allclose(best_class(scores, spec), expected)


@pytest.mark.parametrize(
    ("decoder", "fields", "row", "expected"),
    [
        ("boxes", {}, [0.1, 0.8, 0.3], [0.3, 0.8]),
        ("boxes", {"objectness_from": ("o",)}, [0.5, 0.1, 0.8, 0.3], [0.15, 0.4]),
        ("anchor_offsets", {}, [0.9, 0.1, 0.8, 0.3], [0.3, 0.8]),
        ("cell_distances", {"objectness_from": ("o",)}, [0.5, 0.1, 0.8, 0.3], [0.15, 0.4]),
        ("cell_sizes", {}, [0.25, 0.04, 1, 0.16], [0.2, 0.5]),
        ("cell_sizes:product", {}, [0.25, 0.04, 1, 0.16], [0.04, 0.25]),
        ("cell_sizes", {}, [0.1, 0.8, 0.3], [0.3, 0.8]),
    ],
)
def test_columns_of_one_name_are_one_class(
    decoder: str, fields: dict[str, Any], row: list[float], expected: list[float]
) -> None:
    spec = _spec(decoder=decoder, score_channels=len(row), classes=("face", "mask", "face"), **fields)
    found = decoder_of(spec).classes(np.float32([row, row]), spec)
    np.testing.assert_allclose(found, [expected, expected], atol=1e-6)
    assert spec.class_names == ("face", "mask")


def test_a_column_without_a_name_is_nobodys() -> None:
    spec = _spec(decoder="boxes", score_channels=3, classes=("", "face", ""))
    assert decoder_of(spec).classes(np.float32([[0.9, 0.2, 0.7]]), spec).tolist() == [[np.float32(0.2)]]
    for names in (("",), ("face",) * 4, ("face",)):
        with pytest.raises(InputError, match="expected a name in `classes` for each of 3"):
            _spec(score_channels=3, classes=names)


def test_each_class_of_a_heatmap_has_its_own_peaks() -> None:
    spec = DetectorSpec(
        "map",
        16,
        16,
        strides=(4,),
        anchor_sizes=((1,),),
        score_channels=2,
        decoder="heatmap",
        classes=("a", "b"),
    )
    maps = np.zeros((4, 4, 2), np.float32)
    maps[1, 1, 0], maps[1, 2, 0], maps[1, 2, 1] = 0.9, 0.8, 0.7
    kept = decoder_of(spec).classes(maps.reshape(-1, 2), spec).reshape(4, 4, 2)
    assert {tuple(place) for place in np.argwhere(kept)} == {(1, 1, 0), (1, 2, 1)}


def test_boxes_suppress_those_of_their_class_only() -> None:
    spec = DetectorSpec(
        "toy", 32, 32, strides=(16,), anchor_sizes=((1,),), decoder="boxes:corners", points=0,
        score_channels=2, classes=("cat", "dog"),
    )  # fmt: skip
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
    scores = np.float32([[0.9, 0], [0, 0.8], [0.7, 0], [0.55, 0.6]])
    found = detect(boxes, scores, np.zeros((4, 0), np.float32), spec)
    np.testing.assert_allclose(found.scores, [0.9, 0.8, 0.6])
    assert found.classes.tolist() == [0, 1, 1]
    assert found.above(0.7).classes.tolist() == [0, 1]


def test_only_peaks_of_a_heatmap_are_faces() -> None:
    spec = DetectorSpec(
        "map", 16, 16, strides=(4,), anchor_sizes=((1,),), score_channels=1, decoder="heatmap"
    )
    level = np.zeros((4, 4), np.float32)
    level[1, 1], level[1, 2], level[3, 3] = 0.9, 0.8, 0.7
    kept = best_class(level.reshape(-1, 1), spec).reshape(4, 4)
    assert {tuple(place) for place in np.argwhere(kept)} == {(1, 1), (3, 3)}


def test_an_unknown_decoder_or_variant_lists_what_there_is() -> None:
    with pytest.raises(InputError, match="unknown decoder 'yolo': expected one of anchor_offsets"):
        decoder_of(_spec(decoder="yolo"))
    with pytest.raises(InputError, match="'diagonal'"):
        decoder_of(_spec(decoder="boxes:diagonal"))


def test_outputs_are_cut_turned_and_joined() -> None:
    spec = _spec(
        decoder="boxes", boxes_from=("out.T[0:4]",), scores_from=("out.T[4:5]",), points=0, landmarks_from=()
    )
    out = np.arange(5 * 3, dtype=np.float32).reshape(1, 5, 3)
    boxes, scores, landmarks = joined({"out": out}, spec)
    assert physical_names(spec) == ("out",)
    np.testing.assert_array_equal(boxes[0], out[0, :4].T)
    np.testing.assert_array_equal(scores[0], out[0, 4:].T)
    assert landmarks.shape == (1, 3, 0)
    with pytest.raises(InputError, match="has 5 channels; the spec asks for 4:6"):
        joined({"out": out}, _spec(points=0, boxes_from=("out.T[0:4]",), scores_from=("out.T[4:6]",)))
    with pytest.raises(InputError, match="names an output 'absent'; the file has out"):
        joined({"out": out}, _spec(points=0, boxes_from=("absent",), scores_from=("out",)))


def test_logits_are_read_through_a_sigmoid() -> None:
    spec = _spec(decoder="boxes", points=0, boxes_from=("out[0:4]",), scores_from=("sigmoid(cls.T[1:2])",))
    logits = np.float32([[[0, 0, 0], [-900, 2, 900]]])
    _, scores, _ = joined({"out": np.zeros((1, 3, 4), np.float32), "cls": logits}, spec)
    np.testing.assert_allclose(scores[0, :, 0], [0, 1 / (1 + np.exp(-2)), 1], atol=1e-7)
    assert physical_names(spec) == ("out", "cls")
    assert logit_names(spec) == ("cls",)
    with pytest.raises(InputError, match="'sigmoid\\(cls'"):
        joined({"cls": logits}, _spec(points=0, boxes_from=("cls",), scores_from=("sigmoid(cls",)))


def test_distances_are_read_from_their_distributions_and_columns_side_by_side() -> None:
    spec = _spec(points=0, boxes_from=("dfl(raw.T[0:8])",), scores_from=("a|b.T",))
    raw = np.float32([[0, 0], [0, 900], [9, 1], [9, 1], [0, 5], [-900, 5], [1, 0], [1, 0], [7, 7]])[None]
    boxes, scores, _ = joined({"raw": raw, "a": np.float32([[1], [2]]), "b": np.float32([[3, 4]])}, spec)
    np.testing.assert_allclose(boxes[0], [[0.5, 0.5, 0, 0.5], [1, 0.5, 0.5, 0.5]], atol=1e-6)
    np.testing.assert_array_equal(scores[0], [[1, 3], [2, 4]])
    assert physical_names(spec) == ("raw", "a", "b")
    assert computed_names(spec) == ("raw",)
    with pytest.raises(InputError, match="4 sides of equally many channels, found 9"):
        joined(
            {"raw": raw, "a": raw, "b": raw}, _spec(points=0, boxes_from=("dfl(raw.T)",), scores_from=("a",))
        )


def test_yunet_finds_what_opencvs_own_decoder_finds(shared: Path) -> None:
    file = shared / "peers" / "yunet_n.onnx"
    images = sorted((shared / "data" / "mask_dev" / "images").rglob("*.jpg"))[:6]
    model = open_model(file, YUNET)
    theirs = cv2.FaceDetectorYN.create(str(file), "", (320, 320), 0.6, 0.3, 5000)
    faces = 0
    for path in images:
        pixels, fitted = letterbox(load_rgb(path), YUNET)
        found = detect_letterboxed(model, pixels, fitted, InputProtocol(score_floor=0.6))
        _, rows = theirs.detect(np.ascontiguousarray(pixels[..., ::-1]))
        rows = np.zeros((0, 15), np.float32) if rows is None else rows
        assert len(found) == len(rows)
        order = np.argsort(-rows[:, 14])
        corners = np.concatenate([rows[order, :2], rows[order, :2] + rows[order, 2:4]], axis=1)
        np.testing.assert_allclose(found.boxes_xyxy * fitted.scale, corners, atol=0.05)
        np.testing.assert_allclose(found.scores, rows[order, 14], atol=1e-4)
        np.testing.assert_allclose(
            found.landmarks * fitted.scale, rows[order, 4:14].reshape(-1, 5, 2), atol=0.05
        )
        faces += len(rows)
    assert faces > 10


@pytest.mark.parametrize(
    "name", sorted(path.name.removesuffix(".bin.gz") for path in GOLDEN.glob("*.bin.gz"))
)
def test_the_golden_files_that_kotlin_reads(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    payload = gzip.decompress((GOLDEN / f"{name}.bin.gz").read_bytes())
    spec = DetectorSpec.from_json(golden["spec"])
    outputs, start = {}, 0
    for tensor in golden["tensors"]:
        stored = np.frombuffer(payload, tensor["type"], int(np.prod(tensor["shape"])), start)
        start += stored.nbytes
        scale = (1.0, 0) if stored.dtype == np.float32 else (tensor["scale"], tensor["zero_point"])
        outputs[tensor["name"]] = ((stored.astype(np.float32) - scale[1]) * np.float32(scale[0])).reshape(
            tensor["shape"]
        )
    found = detect(*joined(outputs, spec), spec)
    faces = golden["input_pixels"]
    assert start == len(payload)
    assert len(found) == len(faces) > 0
    np.testing.assert_allclose(found.boxes_xyxy, [face["box_xyxy"] for face in faces], atol=1e-3)
    np.testing.assert_allclose(found.scores, [face["score"] for face in faces], atol=1e-6)
    for points, face in zip(found.landmarks, faces, strict=True):
        np.testing.assert_allclose(points, np.reshape(face["landmarks_xy"], (-1, 2)), atol=1e-3)
