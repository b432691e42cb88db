import math

import numpy as np
import pytest
import torch

from model.geometry.boxes import decode_boxes
from model.training.batches import Batch
from model.training.losses import feature_loss, focal_losses, multibox_losses
from model.training.recipe import Recipe
from model.training.teacher import face_logit

N = 40


def random_case(seed=0, channels=1, hard=False):
    draw = torch.Generator().manual_seed(seed)

    def some(*shape):
        return torch.rand(*shape, generator=draw)

    face = (some(2, N) > 0.85).float() if hard else some(2, N) ** 4
    weight = torch.tensor([0.0, 0.2, 1.0, 1.0, 1.0])[(some(2, N) * 5).long()]
    batch = Batch(
        torch.zeros(2, 8, 8, 3, dtype=torch.uint8), face, weight,
        some(2, N, 4), face * (face > 0.3), some(2, N, 10), face * (face > 0.3),
    )  # fmt: skip
    return (some(2, N, 4), some(2, N, channels) * 6 - 3, some(2, N, 10)), batch


def smooth_l1(difference, beta=0.3):
    size = abs(difference)
    return size * size / (2 * beta) if size < beta else size - beta / 2


def offset_by_hand(found, wanted, weight):
    total = 0.0
    for b in range(2):
        for n in range(N):
            pairs = zip(found[b, n].tolist(), wanted[b, n].tolist(), strict=True)
            total += float(weight[b, n]) * sum(smooth_l1(x - y) for x, y in pairs)
    return total / found.shape[2] / max(float(weight.sum()), 4.0)


def entropy(logit, wanted):
    p = 1 / (1 + math.exp(-logit))
    return -(wanted * math.log(p) + (1 - wanted) * math.log(1 - p))


def giou_by_hand(first, second):
    """Generalized IoU of two boxes (x_min, y_min, x_max, y_max)."""
    width = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    union = sum(areas) - width * height
    hull = (max(first[2], second[2]) - min(first[0], second[0])) * (
        max(first[3], second[3]) - min(first[1], second[1])
    )
    return width * height / union - (hull - union) / hull


def overlap_by_hand(found, wanted, weight):
    """With the boxes decoded in pixels at some anchor, by the library's own NumPy code."""
    anchor = np.tile(np.array([[40, 24, 16, 16]], np.float32), (N, 1))
    total = 0.0
    for b in range(2):
        boxes = [decode_boxes(part[b].numpy(), anchor, (0.1, 0.2)).tolist() for part in (found, wanted)]
        total += sum(float(weight[b, n]) * (1 - giou_by_hand(boxes[0][n], boxes[1][n])) for n in range(N))
    return total / max(float(weight.sum()), 4.0)


def check_offsets(losses, outputs, batch):
    by_offsets = offset_by_hand(outputs[0], batch.boxes, batch.box_weight)
    by_overlap = overlap_by_hand(outputs[0], batch.boxes, batch.box_weight)
    assert by_overlap > 0.01
    assert float(losses.boxes) == pytest.approx(4 * by_offsets + 4 * by_overlap, rel=1e-4)
    expected = offset_by_hand(outputs[2], batch.landmarks, batch.landmark_weight)
    assert float(losses.landmarks) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("channels", [1, 2])
def test_focal_against_plain_loops(channels):
    outputs, batch = random_case(1, channels)
    losses = focal_losses(outputs, batch)
    total = 0.0
    for b in range(2):
        for n in range(N):
            values = outputs[1][b, n].tolist()
            logit = values[0] if channels == 1 else values[1] - values[0]
            p, wanted = 1 / (1 + math.exp(-logit)), float(batch.face[b, n])
            total += float(batch.face_weight[b, n]) * abs(p - wanted) ** 1.5 * entropy(logit, wanted)
    faces = max(sum(v for v in batch.face.flatten().tolist() if v > 0.3), 4.0)
    assert float(losses.face) == pytest.approx(total / faces, rel=1e-4)
    check_offsets(losses, outputs, batch)


def test_multibox_against_plain_loops():
    outputs, batch = random_case(2, 2, hard=True)
    losses = multibox_losses(outputs, batch)
    total, count = 0.0, 0
    for b in range(2):
        known = [n for n in range(N) if batch.face_weight[b, n] >= 1]
        logit = {n: float(outputs[1][b, n, 1] - outputs[1][b, n, 0]) for n in known}
        positive = [n for n in known if batch.face[b, n] > 0.5]
        negative = sorted((entropy(logit[n], 0) for n in known if n not in positive), reverse=True)
        total += sum(entropy(logit[n], 1) for n in positive)
        total += sum(negative[: max(7 * len(positive), 7)])
        count += len(positive)
    assert count > 0
    assert float(losses.face) == pytest.approx(total / max(count, 4), rel=1e-4)
    check_offsets(losses, outputs, batch)


@pytest.mark.parametrize("losses_of", [focal_losses, multibox_losses])
def test_a_batch_without_faces_has_a_finite_loss(losses_of):
    outputs, batch = random_case(3)
    empty = Batch(batch.pixels, *(torch.zeros_like(v) if i != 1 else torch.ones_like(v) for i, v in enumerate(
        (batch.face, batch.face_weight, batch.boxes, batch.box_weight, batch.landmarks, batch.landmark_weight)
    )))  # fmt: skip
    losses = losses_of(outputs, empty)
    assert torch.isfinite(losses.total((1, 1, 1)))
    assert losses.boxes == 0 and losses.landmarks == 0 and losses.face > 0


def test_feature_loss_sees_direction_only():
    draw = torch.Generator().manual_seed(0)
    teacher = [torch.randn(2, 8, 4, 4, generator=draw), torch.randn(2, 8, 2, 2, generator=draw)]
    assert float(feature_loss([level * 3 for level in teacher], teacher)) == pytest.approx(0, abs=1e-6)
    assert float(feature_loss([-level for level in teacher], teacher)) == pytest.approx(2, abs=1e-6)


def test_face_logit_is_the_softmax_of_two():
    logits = torch.tensor([[[0.3, 1.7], [2.0, -1.0]]])
    torch.testing.assert_close(torch.sigmoid(face_logit(logits)), torch.softmax(logits, -1)[..., 1])


def test_rates_rise_hold_and_fall():
    recipe = Recipe(samples=1000, warm_up_samples=100, hold=0.5)
    assert recipe.rate_factor(0) == pytest.approx(0.01)
    assert recipe.rate_factor(99) == recipe.rate_factor(500) == 1
    assert recipe.rate_factor(750) == pytest.approx(0.505)
    assert recipe.rate_factor(1000) == recipe.rate_factor(5000) == pytest.approx(0.01)
    falling = [recipe.rate_factor(s) for s in range(500, 1001, 50)]
    assert falling == sorted(falling, reverse=True)


def test_levels_come_in_one_after_the_other():
    recipe = Recipe(offsets_from=100, offsets_full=300, loss_weights=(2, 1, 0.5), features_until=400)
    assert recipe.weights_at(100) == (2, 0, 0)
    assert recipe.weights_at(200) == (2, 0.5, 0.25)
    assert recipe.weights_at(900) == (2, 1, 0.5)
    assert [recipe.feature_weight_at(s) for s in (0, 200, 400, 500)] == [1, 0.5, 0, 0]
