import numpy as np
import pytest

from model.training.samples.album import Album, Faces
from model.training.samples.views import SMALLEST_FACE, Plan, faces_of, plan_views, render

SIDE = 96


def placed(scale, shift=(0.0, 0.0), smooth=False, meet=(48, 48), photographs=(0, 0, 0, 0)):
    """One view that shows a photograph (or four) at a scale and a place."""
    return Plan(
        np.array([photographs]),
        np.broadcast_to(np.array(scale, float), (1, 4, 2)).copy(),
        np.broadcast_to(np.array(shift, float), (1, 4, 2)).copy(),
        np.array([meet]),
        np.array([len(set(photographs)) > 1]),
        np.array([smooth]),
    )


def one_photograph(image, boxes=(), points=None):
    count = len(boxes)
    marks = np.full((count, 5, 2), np.nan, np.float32) if points is None else np.asarray(points, np.float32)
    faces = Faces(np.asarray(boxes, np.float32).reshape(-1, 4), np.ones(count, np.float32), marks)
    return Album.of([image]).with_faces([faces])


def test_a_photograph_at_its_own_size_is_itself():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    view = render(placed((1, 1)), one_photograph(image), SIDE)[0]
    assert np.array_equal(view[:60, :80], image)
    assert not view[60:].any() and not view[:, 80:].any()
    mirrored = render(placed((-1, 1), (80, 0)), one_photograph(image), SIDE)[0]
    assert np.array_equal(mirrored[:60, :80], image[:, ::-1])


def test_shrinking_averages_or_skips():
    image = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    album = one_photograph(image)
    smooth = render(placed((0.25, 0.25), smooth=True), album, SIDE)[0, 1:15, 1:15]
    skipped = render(placed((0.25, 0.25)), album, SIDE)[0, 1:15, 1:15]
    assert abs(smooth.astype(int) - 128).max() <= 1
    assert len(np.unique(skipped)) <= 2


@pytest.mark.parametrize("seed", range(6))
def test_faces_stand_where_they_are_drawn(drawn_album, seed):
    """The drawn faces are bright and their photographs dark: what a box holds tells whether it fits."""
    draw = np.random.default_rng(seed)
    plan = plan_views(draw, drawn_album, np.arange(len(drawn_album)), SIDE, 8)
    views, faces = render(plan, drawn_album, SIDE), faces_of(plan, drawn_album, SIDE)
    assert len(faces.view)
    bright = views[..., 0] > 120
    covered = np.zeros_like(bright)
    for view, box in zip(faces.view.numpy(), faces.boxes_xyxy.numpy(), strict=True):
        x_min, y_min, x_max, y_max = box
        assert 0 <= x_min < x_max <= SIDE and 0 <= y_min < y_max <= SIDE
        low, high = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
        covered[view, low[1] : high[1], low[0] : high[0]] = True
        inner = bright[view, low[1] + 2 : high[1] - 2, low[0] + 2 : high[0] - 2]
        assert inner.size == 0 or inner.mean() > 0.6, "a face is where its box is (another may hide a part)"
    assert (bright & ~covered).sum() < 0.02 * max(bright.sum(), 1) + 20


def test_landmarks_are_mirrored_with_the_face():
    points = [[[10, 10], [20, 10], [15, 15], [12, 20], [18, 20]]]
    album = one_photograph(np.zeros((40, 60, 3), np.uint8), [[5, 5, 25, 25]], points)
    faces = faces_of(placed((-1, 1), (60, 0)), album, SIDE)
    assert faces.boxes_xyxy.tolist() == [[35, 5, 55, 25]]
    assert faces.points[0].tolist() == [[40, 10], [50, 10], [45, 15], [42, 20], [48, 20]]


def test_small_and_hidden_faces_are_in_doubt():
    album = one_photograph(
        np.zeros((90, 90, 3), np.uint8), [[0, 0, 20, SMALLEST_FACE - 1], [0, 30, 20, 50], [-30, 60, 10, 80]]
    )
    assert faces_of(placed((1, 1)), album, SIDE).sure.tolist() == [0, 1, 0]


def test_a_mosaic_shows_each_photograph_in_its_quarter():
    images = [np.full((50, 50, 3), 50 * (index + 1), np.uint8) for index in range(4)]
    faces = [
        Faces(np.array([[10, 10, 30, 30]], np.float32), np.ones(1, np.float32), np.full((1, 5, 2), np.nan))
    ] * 4
    album = Album.of(images).with_faces(faces)
    plan = placed((1, 1), meet=(40, 56), photographs=(0, 1, 2, 3))
    plan.shift[0] = [[0, 0], [40, 0], [0, 56], [40, 56]]
    view = render(plan, album, SIDE)[0, ..., 0]
    assert [view[20, 20], view[20, 60], view[70, 20], view[70, 60]] == [50, 100, 150, 200]
    assert view[49, 39] == 50 and view[49, 40] == 100 and view[55, 20] == 0
    assert faces_of(plan, album, SIDE).boxes_xyxy[3].tolist() == [50, 66, 70, 86]


def test_plans_depend_on_the_draw_alone(drawn_album):
    choice = np.array([3, 3, 5])
    first, second = (plan_views(np.random.default_rng(1), drawn_album, choice, 64, 30) for _ in range(2))
    assert np.array_equal(first.scale, second.scale) and np.array_equal(first.photograph, second.photograph)
    assert set(first.photograph.flat) == {3, 5}
    assert first.mosaic.any() and not first.mosaic.all()


def test_an_album_without_faces_or_photographs():
    assert len(Album.of([])) == 0
    album = one_photograph(np.zeros((30, 40, 3), np.uint8))
    plan = plan_views(np.random.default_rng(0), album, np.array([0]), 64, 5)
    assert len(faces_of(plan, album, 64).view) == 0
    assert render(plan, album, 64).shape == (5, 64, 64, 3)
