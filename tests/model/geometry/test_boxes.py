from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch

from model.foundation.errors import InputError
from model.geometry.anchors import anchors
from model.geometry.boxes import (
    Detections,
    decode_boxes,
    decode_landmarks,
    detect,
    iou_matrix,
    nms,
)
from model.geometry.letterbox import letterbox, network_input
from model.geometry.spec import DetectorSpec
from model.networks import spec_of
from model.training.losses import encode

SPEC = spec_of("featherface_v2", 96, 128)


def test_anchors_equal_the_published_loop() -> None:
    """RetinaFace's PriorBox, written out as its authors have it."""
    expected = []
    for stride, sizes in zip((8, 16, 32), ((16, 32), (64, 128), (256, 512)), strict=True):
        for i in range(math.ceil(96 / stride)):
            for j in range(math.ceil(128 / stride)):
                expected += [[(j + 0.5) * stride, (i + 0.5) * stride, size, size] for size in sizes]
    assert np.array_equal(anchors(SPEC), np.array(expected, np.float32))
    assert not anchors(SPEC).flags.writeable


def _random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner, size = rng.uniform(0, 90, (count, 2)), rng.uniform(4, 60, (count, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


def test_encoding_is_the_inverse_of_decoding(rng: np.random.Generator) -> None:
    anchor = anchors(SPEC)
    boxes = _random_boxes(rng, len(anchor))
    offsets = encode(torch.tensor(boxes), torch.tensor(anchor), SPEC.variances).numpy()
    back = decode_boxes(offsets, anchor, SPEC.variances)
    np.testing.assert_allclose(back, boxes, atol=2e-3)
    points = rng.uniform(0, 96, (len(anchor), 5, 2)).astype(np.float32)
    shift = (points - anchor[:, None, :2]) / (np.float32(SPEC.variances[0]) * anchor[:, None, 2:])
    again = decode_landmarks(shift.reshape(-1, 10), anchor, SPEC.variances)
    np.testing.assert_allclose(again, points, atol=2e-3)


def test_decoding_one_box_by_hand() -> None:
    anchor = np.array([[100, 60, 32, 32]], np.float32)
    offsets = np.array([[1, -2, 5 * math.log(2), 0]], np.float32)
    # centre (100 + 3.2, 60 - 6.4), width 64, height 32
    np.testing.assert_allclose(
        decode_boxes(offsets, anchor, (0.1, 0.2)), [[71.2, 37.6, 135.2, 69.6]], rtol=1e-6
    )


def test_decoding_never_overflows() -> None:
    huge = decode_boxes(np.full((1, 4), 1e9, np.float32), anchors(SPEC)[:1], SPEC.variances)
    assert np.isfinite(huge).all()


def test_iou_of_nothing_of_empty_and_of_known_boxes() -> None:
    none = np.zeros((0, 4), np.float32)
    assert iou_matrix(none, none).shape == (0, 0)
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [3, 3, 3, 3], [20, 20, 30, 30]], np.float32)
    np.testing.assert_allclose(iou_matrix(boxes[:1], boxes)[0], [1, 1 / 3, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_suppression_agrees_with_opencv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores = _random_boxes(rng, 300), (rng.permutation(300) + 1).astype(np.float32) / 300
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    theirs = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, 0.4)
    assert nms(boxes, scores, 0.4, 1000).tolist() == list(theirs)


def test_suppression_keeps_the_first_of_equal_scores_and_no_more_than_asked() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    assert nms(boxes, np.ones(3, np.float32), 0.4, 10).tolist() == [0, 2]
    assert nms(boxes, np.ones(3, np.float32), 0.4, 1).tolist() == [0]
    assert nms(boxes[:0], np.ones(0, np.float32), 0.4, 1).tolist() == []


def _raw(spec: DetectorSpec) -> list[np.ndarray]:
    return [np.zeros(shape, np.float32) for shape in spec.output_shapes]


def test_detect_finds_what_was_put_in() -> None:
    raw = _raw(SPEC)
    face = np.array([[30, 20, 70, 75]], np.float32)
    at = int(iou_matrix(face, _corners(anchors(SPEC))).argmax())
    raw[0][0, at] = encode(torch.tensor(face[0]), torch.tensor(anchors(SPEC)[at]), SPEC.variances)
    raw[1][0, at] = 0.9
    found = detect(*raw, SPEC)
    np.testing.assert_allclose(found.boxes_xyxy, face, atol=1e-3)
    assert found.scores.tolist() == [np.float32(0.9)]
    assert len(detect(*raw, SPEC, 0.95)) == 0
    assert len(found.above(0.95)) == 0


def _corners(anchor: np.ndarray) -> np.ndarray:
    return np.concatenate([anchor[:, :2] - anchor[:, 2:] / 2, anchor[:, :2] + anchor[:, 2:] / 2], axis=1)


def test_detect_refuses_outputs_that_contradict_the_spec() -> None:
    raw = _raw(SPEC)
    with pytest.raises(InputError, match="boxes"):
        detect(raw[0][:, :-1], raw[1], raw[2], SPEC)
    raw[2][0, 3, 1] = np.nan
    with pytest.raises(InputError, match="landmarks holds NaN"):
        detect(*raw, SPEC)


@pytest.mark.parametrize("shape", [(50, 400), (400, 50), (96, 128), (1, 1), (1000, 30)])
def test_letterbox_there_and_back(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    fitted, how = letterbox(image, SPEC)
    assert fitted.shape == (96, 128, 3)
    assert (fitted[0, 0] == 200).all()
    filled = (fitted == 200).all(axis=2)
    assert filled[: round(shape[0] * how.scale), : round(shape[1] * how.scale)].all()
    assert (fitted[~filled] == SPEC.pad_rgb).all()
    inside = Detections(
        np.array([[0, 0, shape[1] * how.scale, shape[0] * how.scale]], np.float32),
        np.ones(1, np.float32),
        np.zeros((1, 5, 2), np.float32),
    )
    np.testing.assert_allclose(how.to_image(inside).boxes_xyxy, [[0, 0, shape[1], shape[0]]], rtol=1e-5)


def test_network_input_swaps_channels_and_subtracts_the_mean() -> None:
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[..., 0] = 200  # red
    spec = spec_of("featherface_v1", 96, 128)
    assert network_input(pixels, spec)[0, :, 0, 0].tolist() == [-104, -117, 200 - 123]
    assert network_input(pixels, SPEC)[0, :, 0, 0].tolist() == [200, 0, 0]
