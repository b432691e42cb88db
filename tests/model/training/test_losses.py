import pytest
import torch

from model.foundation.records import from_json, to_json
from model.geometry.boxes import decode_boxes
from model.networks import spec_of
from model.training.assignment import overlap
from model.training.losses import anchors_on, encode, face_logit, focal, losses, overlap_loss
from model.training.recipe import Recipe
from model.training.samples.views import ViewFaces

SPEC = spec_of("featherface_v2", 64, 64)
ANCHOR, _ = anchors_on(SPEC, torch.device("cpu"))
N = len(ANCHOR)
FACE = torch.tensor([[20.0, 20.0, 36.0, 36.0]])
POINTS = torch.tensor([[[24.0, 26], [32, 26], [28, 29], [25, 32], [31, 32]]])


def one_face(points=POINTS, sure=1.0):
    return ViewFaces(torch.tensor([0]), FACE, torch.tensor([sure]), points)


def nothing():
    return ViewFaces(
        torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, 5, 2)
    )


def perfect():
    """What finds the face at every anchor that may, and nothing elsewhere."""
    boxes = encode(FACE.expand(N, -1), ANCHOR, SPEC.variances)[None]
    near = (ANCHOR[:, :2] - 28).abs().amax(dim=1) < 9
    logits = torch.where(near & (ANCHOR[:, 2] == 16), 12.0, -12.0).reshape(1, N, 1)
    points = (POINTS - ANCHOR[:, None, :2]) / (SPEC.variances[0] * ANCHOR[:, None, 2:])
    return boxes, logits, points.reshape(1, N, 10)


def test_what_is_right_costs_little_and_what_is_wrong_costs_more():
    right = losses(perfect(), one_face(), SPEC)
    assert float(right.boxes) < 1e-3 and float(right.landmarks) < 1e-3
    boxes, logits, landmarks = perfect()
    wrong = losses((boxes + 2, logits, landmarks + 2), one_face(), SPEC)
    assert float(wrong.boxes) > 0.5 and float(wrong.landmarks) > 0.5
    assert float(losses((boxes, -logits, landmarks), one_face(), SPEC).face) > 10 * float(right.face) + 1
    assert float(losses((boxes, logits, landmarks), nothing(), SPEC).face) > float(right.face)


def test_landmarks_that_nobody_marked_teach_nothing():
    boxes, logits, landmarks = perfect()
    unmarked = one_face(torch.full((1, 5, 2), float("nan")))
    parts = losses((boxes, logits, landmarks + 5), unmarked, SPEC)
    assert float(parts.landmarks) == 0 and torch.isfinite(parts.total((1, 1, 1)))


def test_a_picture_without_faces_has_a_gradient():
    outputs = tuple(torch.zeros(1, N, c, requires_grad=True) for c in (4, 1, 10))
    losses(outputs, nothing(), SPEC).total((1, 1, 1)).backward()
    assert float(outputs[1].grad.abs().sum()) > 0


def test_the_teacher_is_believed_but_for_faces_it_missed():
    boxes, logits, landmarks = perfect()
    blind, seeing = torch.full((1, N), -12.0), logits[..., 0]
    alone = losses((boxes, logits, landmarks), one_face(), SPEC)
    with_blind = losses((boxes, logits, landmarks), one_face(), SPEC, blind, 0.5)
    with_seeing = losses((boxes, logits, landmarks), one_face(), SPEC, seeing, 0.5)
    # Of the anchors near the face a blind teacher speaks of those alone that no face was given to.
    assert float(with_seeing.face) <= float(alone.face) + 1e-6
    chosen = losses((boxes, logits - 24, landmarks), one_face(), SPEC, blind, 1.0)
    assert float(chosen.face) < 1e-3
    assert float(with_blind.face) >= float(with_seeing.face)


def test_focal_loss_by_hand():
    logit, wanted, weight = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.5]), torch.tensor([1.0, 2.0])
    p = torch.sigmoid(logit)
    entropy = -(wanted * p.log() + (1 - wanted) * (1 - p).log())
    expected = (entropy * (p - wanted).abs() ** 1.5 * weight).sum()
    assert torch.isclose(focal(logit, wanted, weight), expected)


@pytest.mark.parametrize(
    ("first", "second", "giou"),
    [
        ([0, 0, 2, 2], [0, 0, 2, 2], 1.0),
        ([0, 0, 2, 2], [1, 0, 3, 2], 1 / 3),
        ([0, 0, 1, 1], [2, 0, 3, 1], -1 / 3),
    ],
)
def test_overlap_loss_by_hand(first, second, giou):
    unit = torch.tensor([0.0, 0.0, 1.0, 1.0])
    offsets = [
        encode(torch.tensor([box], dtype=torch.float32), unit, SPEC.variances) for box in (first, second)
    ]
    loss = overlap_loss(*offsets, torch.full((1,), 4.0), SPEC)
    assert float(loss) == pytest.approx(1 - giou, abs=1e-5)


@pytest.mark.parametrize("network", ["featherface_v2", "featherface_v1", "retinaface"])
def test_every_network_is_told_by_its_own_anchors(network):
    """Offsets that `losses` calls perfect decode to the face by the network's own spec."""
    spec = spec_of(network, 64, 64)
    anchor, _ = anchors_on(spec, torch.device("cpu"))
    boxes = encode(FACE.expand(len(anchor), -1), anchor, spec.variances)
    decoded = decode_boxes(boxes.numpy(), anchor.numpy(), spec.variances)
    assert float(overlap(torch.from_numpy(decoded), FACE).min()) > 0.999
    zeros = [torch.zeros(1, len(anchor), c) for c in (spec.score_channels, 10)]
    assert float(losses((boxes[None], *zeros), one_face(), spec).boxes) < 1e-3


def test_a_logit_from_two_classes():
    assert face_logit(torch.tensor([[[1.0, 3.0]]])).tolist() == [[2.0]]
    assert face_logit(torch.tensor([[[1.5]]])).tolist() == [[1.5]]


def test_the_schedule():
    recipe = Recipe(
        samples=1000, pictures=10, warm_up=0.1, hold=0.5, trust=0.5, trusted=0.5, learn_statistics=0.2
    )
    assert recipe.steps == 100
    assert [recipe.rate_factor(step) for step in (0, 9, 50)] == pytest.approx([0.1, 1.0, 1.0])
    assert recipe.rate_factor(75) == pytest.approx(0.505) and recipe.rate_factor(100) == pytest.approx(0.01)
    assert [recipe.trust_at(step) for step in (0, 25, 50, 90)] == [0.5, 0.25, 0.0, 0.0]
    assert recipe.learns_statistics(19) and not recipe.learns_statistics(20)
    assert [recipe.views_of(side) for side in (320, 640, 160)] == [10, 2, 40]
    assert from_json(Recipe, to_json(recipe), "recipe.json") == recipe
