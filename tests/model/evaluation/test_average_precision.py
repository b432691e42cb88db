"""AP against a loop written from the definition, ties, ignored faces and bands of heights."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from model.evaluation.average_precision import COCO_IOUS, Matched, Truth, match
from model.geometry.boxes import Detections, iou_matrix


def found(boxes: list[list[float]] | np.ndarray, scores: list[float] | np.ndarray) -> Detections:
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.asarray(scores, np.float32), np.zeros((len(array), 5, 2), np.float32))


def random_set(rng: np.random.Generator, images: int = 40) -> tuple[list[Detections], list[Truth]]:
    detections, truth = [], []
    for _ in range(images):
        centre, size = rng.uniform(20, 300, (6, 2)), rng.uniform(8, 90, (6, 2))
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        faces = boxes[: rng.integers(0, 5)]
        seen = np.concatenate([faces + rng.normal(0, 4, faces.shape), faces[:2] + 1, boxes[4:]])
        detections.append(found(seen, rng.random(len(seen))))
        truth.append(Truth.of(faces.astype(np.float32)))
    return detections, truth


def ap_by_the_definition(detections: list[Detections], truth: list[Truth], iou: float) -> float:
    """VOC's: each detection in order of score against its best face; area under the envelope."""
    ranked = sorted(
        (
            (float(score), image, index)
            for image, one in enumerate(detections)
            for index, score in enumerate(one.scores)
        ),
        reverse=True,
    )
    used = [[False] * len(one.boxes_xyxy) for one in truth]
    hits, precision, recall = 0, [], []
    faces = sum(len(one.boxes_xyxy) for one in truth)
    for rank, (_, image, index) in enumerate(ranked, 1):
        overlaps = iou_matrix(detections[image].boxes_xyxy[index : index + 1], truth[image].boxes_xyxy)[0]
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best >= 0 and overlaps[best] >= iou and not used[image][best]:
            used[image][best] = True
            hits += 1
        precision.append(hits / rank)
        recall.append(hits / faces)
    area, last = 0.0, 0.0
    for index, reached in enumerate(recall):
        area += (reached - last) * max(precision[index:])
        last = reached
    return area


def test_several_classes_are_as_many_evaluations_and_their_mean() -> None:
    rng = np.random.default_rng(3)
    detections, truth = random_set(rng)
    detections = [replace(one, classes=rng.integers(0, 3, len(one))) for one in detections]
    truth = [replace(one, classes=rng.integers(0, 2, len(one.boxes_xyxy))) for one in truth]
    whole = match(detections, truth, COCO_IOUS)
    alone = []
    for kind in range(2):
        mine = [one[one.classes == kind] for one in detections]
        faces = [Truth.of(one.boxes_xyxy[one.classes == kind]) for one in truth]
        alone.append(ap_by_the_definition(mine, faces, 0.5))
        assert whole.by_class[kind].average_precision() == pytest.approx(alone[-1])
    assert set(whole.by_class) == {0, 1}
    assert whole.average_precision() == pytest.approx(np.mean(alone))
    assert len(whole.scores) == sum(int((one.classes < 2).sum()) for one in detections), (
        "class 2 is not labelled"
    )
    once = np.ones(len(truth), np.int64)
    assert whole.average_precision(weights=once) == whole.average_precision()


def test_nothing_found_and_nothing_to_find() -> None:
    assert math.isnan(match([], []).average_precision())
    face = Truth.of(np.asarray([[0, 0, 10, 10]], np.float32))
    assert match([found([], [])], [face]).average_precision() == 0
    assert math.isnan(
        match([found([[0, 0, 9, 9]], [0.9])], [Truth.of(np.empty((0, 4), np.float32))]).average_precision()
    )
    assert match([found([[0, 0, 10, 10]], [0.9])], [face]).average_precision() == 1


@pytest.mark.parametrize("iou", [0.5, 0.75])
def test_it_is_what_the_definition_says(rng: np.random.Generator, iou: float) -> None:
    detections, truth = random_set(rng)
    expected = ap_by_the_definition(detections, truth, iou)
    assert 0.05 < expected < 0.95
    assert match(detections, truth, (iou,)).average_precision(iou) == pytest.approx(expected, abs=1e-12)


def test_the_mean_is_over_ten_overlaps(rng: np.random.Generator) -> None:
    detections, truth = random_set(rng, 15)
    expected = np.mean([ap_by_the_definition(detections, truth, iou) for iou in COCO_IOUS])
    assert match(detections, truth, COCO_IOUS).mean_average_precision() == pytest.approx(expected, abs=1e-12)


def test_weights_count_images_several_times(rng: np.random.Generator) -> None:
    detections, truth = random_set(rng, 12)
    weights = rng.integers(0, 4, 12)
    repeated = [index for index, times in enumerate(weights) for _ in range(times)]
    expected = match([detections[i] for i in repeated], [truth[i] for i in repeated]).average_precision()
    assert match(detections, truth).average_precision(weights=weights) == pytest.approx(expected, abs=1e-12)


def test_the_order_of_equal_scores_decides_nothing() -> None:
    face = Truth.of(np.asarray([[0, 0, 10, 10]], np.float32))
    boxes = [[0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]]
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        one = found([boxes[i] for i in order], [0.5, 0.5, 0.5])
        assert match([one], [face]).average_precision() == pytest.approx(1 / 3)


def test_the_second_detection_of_a_face_is_a_false_alarm() -> None:
    face = Truth.of(np.asarray([[0, 0, 10, 10]], np.float32))
    matched = match([found([[0, 0, 10, 10], [0, 0, 10, 9]], [0.9, 0.8])], [face])
    assert matched.hit[0].tolist() == [True, False]
    assert matched.counted[0].tolist() == [True, True]


def test_an_ignored_face_is_neither_hit_nor_miss() -> None:
    boxes = np.asarray([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    truth = Truth.of(boxes, np.asarray([False, True]))
    both = match([found(boxes, [0.8, 0.9])], [truth])
    assert both.average_precision() == 1
    assert len(both.face_image) == 1
    assert match([found(boxes[1:], [0.9])], [truth]).average_precision() == 0


def of_heights(heights: list[float], input_scale: float) -> Matched:
    boxes = np.asarray([[100 * i, 0, 100 * i + 50, height] for i, height in enumerate(heights)], np.float32)
    seen = found(boxes[:-1], np.linspace(0.9, 0.3, len(boxes) - 1))
    return match([seen], [Truth.of(boxes, input_scale=input_scale)])


def test_heights_are_those_in_the_network_input() -> None:
    bands = of_heights([20, 31.9, 32, 64, 127.9, 128, 400, 500], 0.5).recall_by_height()
    assert {name: (one.faces, one.found) for name, one in bands.items()} == {
        "under 16": (2, 2),
        "16-32": (1, 1),
        "32-64": (2, 2),
        "over 64": (3, 2),
    }
    assert bands["over 64"].recall == pytest.approx(2 / 3)
    assert of_heights([20, 30], 1).recall_by_height()["over 64"].recall is None


def test_a_threshold_leaves_only_faces_found_above_it() -> None:
    matched = of_heights([70, 80, 90, 100], 1)
    assert [matched.recall_by_height(score=at)["over 64"].found for at in (0.2, 0.5, 0.8, 0.95)] == [
        3,
        2,
        1,
        0,
    ]


def test_a_band_neither_rewards_nor_punishes_other_heights() -> None:
    truth = Truth.of(np.asarray([[0, 0, 20, 20], [100, 0, 200, 100]], np.float32))
    seen = found(
        [[0, 0, 20, 20], [100, 0, 200, 100], [300, 0, 400, 100], [500, 0, 520, 20]], [0.5, 0.9, 0.8, 0.7]
    )
    small = match([seen], [truth.within(16, 32)]).within(16, 32)
    assert small.average_precision() == pytest.approx(0.5), "only the false alarm of the same height counts"
    large = match([seen], [truth.within(64, math.inf)]).within(64, math.inf)
    assert large.average_precision() == 1
