import torch

from model.networks import spec_of
from model.training.assignment import assign, overlap
from model.training.losses import anchors_on, decode, encode
from model.training.samples.views import ViewFaces

SPEC = spec_of("featherface_v2", 64, 64)
ANCHOR, STRIDE = anchors_on(SPEC, torch.device("cpu"))
N = len(ANCHOR)


def faces(boxes, sure=None, view=None):
    count = len(boxes)
    return ViewFaces(
        torch.tensor(view or [0] * count, dtype=torch.int64),
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(sure or [1.0] * count, dtype=torch.float32),
        torch.full((count, 5, 2), float("nan")),
    )


def plain(views=1):
    """An untrained network's answer: nothing likely, every box its anchor."""
    corners = torch.cat([ANCHOR[:, :2] - ANCHOR[:, 2:] / 2, ANCHOR[:, :2] + ANCHOR[:, 2:] / 2], dim=1)
    return torch.full((views, N), 0.02), corners.expand(views, -1, -1).clone()


def test_offsets_there_and_back():
    boxes = torch.tensor([[3.0, 4.0, 20.0, 40.0]]).expand(N, -1)
    again = decode(encode(boxes, ANCHOR, SPEC.variances), ANCHOR, SPEC.variances)
    assert torch.allclose(again, boxes, atol=1e-3)
    assert torch.allclose(overlap(again, boxes), torch.ones(N), atol=1e-3)


def test_nothing_to_find():
    found = assign(*plain(), faces([]), ANCHOR, STRIDE)
    assert len(found.view) == 0 and not found.doubt.any()


def test_a_face_gets_the_anchors_that_find_it_best():
    probability, boxes = plain(2)
    found = assign(probability, boxes, faces([[20, 20, 36, 36]], view=[1]), ANCHOR, STRIDE)
    assert set(found.view.tolist()) == {1} and 1 <= len(found.anchor) <= 10
    assert set(ANCHOR[found.anchor, 2].tolist()) <= {16.0, 32.0}
    best = found.quality.argmax()
    assert torch.isclose(found.quality[best], overlap(boxes[1], torch.tensor([20.0, 20, 36, 36])).max())
    boxes[1, 7] = torch.tensor([20.0, 20, 36, 36])  # finds it, but stands elsewhere
    assert 7 not in assign(probability, boxes, faces([[20, 20, 36, 36]], view=[1]), ANCHOR, STRIDE).anchor


def test_a_tiny_face_between_all_anchors_is_still_learned():
    probability, boxes = plain()
    found = assign(probability, boxes, faces([[15.0, 15.0, 21.0, 21.0]]), ANCHOR, STRIDE)
    assert len(found.anchor) >= 1


def test_an_anchor_learns_one_face():
    probability, boxes = plain()
    found = assign(probability, boxes, faces([[20, 20, 36, 36], [24, 20, 40, 36]]), ANCHOR, STRIDE)
    assert len(set(found.anchor.tolist())) == len(found.anchor)
    assert set(found.face.tolist()) == {0, 1}


def test_an_unsure_face_wants_less_and_a_doubtful_one_nothing():
    probability, boxes = plain()
    sure = assign(probability, boxes, faces([[20, 20, 36, 36]]), ANCHOR, STRIDE)
    unsure = assign(probability, boxes, faces([[20, 20, 36, 36]], [0.5]), ANCHOR, STRIDE)
    assert torch.allclose(unsure.quality, sure.quality / 2)
    doubtful = assign(probability, boxes, faces([[20, 20, 36, 36]], [0.0]), ANCHOR, STRIDE)
    assert len(doubtful.anchor) == 0 and doubtful.doubt.any()
    assert doubtful.doubt[0, sure.anchor].all() and not doubtful.doubt.all()
