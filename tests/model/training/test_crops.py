import numpy as np
import pytest

from model.geometry.anchors import anchors
from model.geometry.boxes import decode_boxes, decode_landmarks, encode_boxes
from model.training.crops import (
    SPEC,
    Crop,
    answer_targets,
    correct,
    crop_anchors,
    crop_faces,
    crop_spec,
    label_targets,
    mirrored_anchors,
    teacher_targets,
    visible_share,
)
from model.training.views import VIEW, VIEW_DTYPE, Faces

CROPS = [Crop(0, 0, 640, False), Crop(320, 64, 320, False), Crop(96, 352, 256, True), Crop(0, 0, 640, True)]


def faces_of(boxes, points=None, ignore=None):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    marks = np.full((count, 5, 2), np.nan, np.float32) if points is None else np.asarray(points, np.float32)
    return Faces(boxes, marks, np.zeros(count, bool) if ignore is None else np.asarray(ignore))


@pytest.mark.parametrize("crop", CROPS)
def test_anchors_of_a_crop_stand_where_the_views_do(crop):
    of_view = anchors(SPEC)[crop_anchors(crop)]
    own = anchors(crop_spec(crop.side)).copy()
    if crop.mirrored:
        own[:, 0] = crop.side - own[:, 0]
    own[:, :2] += (crop.left, crop.top)
    np.testing.assert_array_equal(of_view, own)


def test_mirrored_anchors_are_a_whole_views_mirrored_crop():
    np.testing.assert_array_equal(mirrored_anchors(VIEW), crop_anchors(Crop(0, 0, VIEW, True)))
    index = mirrored_anchors(96)
    np.testing.assert_array_equal(index[index], np.arange(len(index)))


def one_view():
    draw = np.random.default_rng(0)
    view = np.zeros(1, VIEW_DTYPE)[0]
    view["boxes"] = draw.normal(0, 0.5, view["boxes"].shape)
    view["landmarks"] = draw.normal(0, 0.5, view["landmarks"].shape)
    view["logits"] = draw.normal(-3, 2, view["logits"].shape)
    return view


@pytest.mark.parametrize("crop", CROPS)
def test_teacher_targets_decode_to_the_same_places(crop):
    """Decoded in the crop and carried back, every box and point is what the teacher said in the view."""
    view = one_view()
    targets = teacher_targets(view, crop)
    spec = crop_spec(crop.side)
    boxes = decode_boxes(targets.boxes, anchors(spec), spec.variances)
    points = decode_landmarks(targets.landmarks, anchors(spec), spec.variances)
    if crop.mirrored:
        boxes = np.stack([crop.side - boxes[:, 2], boxes[:, 1], crop.side - boxes[:, 0], boxes[:, 3]], axis=1)
        points = (points * (-1, 1) + (crop.side, 0))[:, [1, 0, 2, 4, 3]]
    index = crop_anchors(crop)
    offset = np.array([crop.left, crop.top])
    whole_boxes = decode_boxes(view["boxes"].astype(np.float32), anchors(SPEC), SPEC.variances)[index]
    whole_points = decode_landmarks(view["landmarks"].astype(np.float32), anchors(SPEC), SPEC.variances)[
        index
    ]
    np.testing.assert_allclose(boxes + np.tile(offset, 2), whole_boxes, atol=2e-3)
    np.testing.assert_allclose(points + offset, whole_points, atol=2e-3)


def test_what_the_crop_hides_is_not_asked_for():
    view = one_view()
    view["boxes"][:] = 0  # every box is its anchor
    view["logits"][:] = 3
    crop = Crop(0, 0, 320, False)
    targets = teacher_targets(view, crop)
    anchor = anchors(crop_spec(320))
    corners = np.concatenate([anchor[:, :2] - anchor[:, 2:] / 2, anchor[:, :2] + anchor[:, 2:] / 2], axis=1)
    hidden = visible_share(corners, 320) < 0.5
    assert 0 < hidden.sum() < len(hidden)
    for weight in (targets.face_weight, targets.box_weight, targets.landmark_weight):
        assert (weight[hidden] == 0).all() and (weight[~hidden] > 0).all()


def test_temperature_softens():
    zeros = np.zeros((3, 4), np.float32), np.zeros((3, 10), np.float32)
    logits = np.array([-4, 0, 4], np.float32)
    warm = answer_targets(zeros[0], logits, zeros[1], 2.0).face
    np.testing.assert_allclose(warm, 1 / (1 + np.exp(-logits / 2)), rtol=1e-6)


def test_faces_mirrored_twice_are_themselves():
    faces = faces_of([[100, 120, 160, 190]], [[[110, 140], [150, 141], [130, 160], [115, 175], [146, 176]]])
    mirror = Crop(0, 0, VIEW, True)
    again = crop_faces(crop_faces(faces, mirror), mirror)
    np.testing.assert_allclose(again.boxes_xyxy, faces.boxes_xyxy)
    np.testing.assert_allclose(again.landmarks, faces.landmarks)
    once = crop_faces(faces, mirror).landmarks[0]
    assert once[0, 0] < once[1, 0], "the left eye is the one on the left of the mirrored picture"


def test_no_face_changes_nothing():
    targets = label_targets(256)
    correct(targets, faces_of([]), 256)
    assert targets.face.sum() == 0 and (targets.face_weight == 1).all()


@pytest.mark.parametrize("box", [[40, 50, 72, 90], [100, 100, 228, 240], [3, 3, 14, 15]])
def test_a_missed_face_is_learned_by_the_anchors_that_fit(box):
    points = np.array([[[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]], np.float32)
    marks = points * (box[2] - box[0], box[3] - box[1]) + box[:2]
    targets = label_targets(256)
    correct(targets, faces_of([box], marks), 256)
    learn = targets.face == 1
    assert learn.any()
    spec = crop_spec(256)
    found = decode_boxes(targets.boxes[learn], anchors(spec)[learn], spec.variances)
    np.testing.assert_allclose(found, np.repeat([box], learn.sum(), axis=0), atol=1e-3)
    decoded = decode_landmarks(targets.landmarks[learn], anchors(spec)[learn], spec.variances)
    np.testing.assert_allclose(decoded, np.repeat(marks, learn.sum(), axis=0), atol=1e-3)
    assert (targets.box_weight == learn).all() and (targets.landmark_weight == learn).all()
    doubtful = (targets.face_weight > 0) & (targets.face_weight < 1)
    assert not (doubtful & learn).any()


def found_face(box, shift):
    """Targets of a teacher whose one sure anchor draws `box` shifted."""
    targets = label_targets(256)
    spec = crop_spec(256)
    near = int(np.abs(anchors(spec) - (76, 76, 32, 32)).sum(axis=1).argmin())
    targets.face[near] = targets.box_weight[near] = 0.9
    anchor = anchors(spec)[near : near + 1]
    targets.boxes[near] = encode_boxes(np.array([box], np.float32) + shift, anchor, spec.variances)[0]
    return targets, near, lambda: decode_boxes(targets.boxes[near][None], anchor, spec.variances)[0]


@pytest.mark.parametrize(
    ("shift", "left"),
    [((0, 0, 0, 0), 60), ((-8, 0, 0, 0), 54), ((-32, 0, 0, 0), 60), ((-1, 0, 0, 0), 59)],
    ids=["equal", "IoU 0.8: a quarter of the way", "IoU 0.5: all of it", "IoU 0.97: none"],
)
def test_a_face_the_teacher_found_is_drawn_towards_its_mark(shift, left):
    mark = [60, 60, 92, 92]
    targets, near, decoded = found_face(mark, np.array(shift, np.float32))
    others = np.delete(targets.boxes, near, axis=0).copy()
    correct(targets, faces_of([mark, [180, 180, 220, 220]]), 256)
    # centres move along a line and sizes along a logarithm, so that a part of the way is nearly that part
    np.testing.assert_allclose(decoded(), [left, 60, 92, 92], atol=0.2)
    assert targets.face[near] == np.float32(0.9)
    changed = (np.delete(targets.boxes, near, axis=0) != others).any(axis=1)
    assert changed.sum() == (targets.face == 1).sum(), "only the face it missed is written besides"


@pytest.mark.parametrize(
    ("mark", "ignore"),
    [([60, 60, 92, 92], True), ([60, -40, 92, 92], False), ([76, 76, 140, 140], False)],
    ids=["ignored", "cut off by the border", "another face"],
)
def test_a_mark_that_tells_nothing_of_a_found_face_leaves_it(mark, ignore):
    targets, near, _ = found_face([60, 60, 92, 92], 0)
    before = targets.boxes[near].copy()
    correct(targets, faces_of([mark], ignore=[ignore]), 256)
    np.testing.assert_array_equal(targets.boxes[near], before)


@pytest.mark.parametrize(("box", "ignore"), [([100, 100, 104, 104], False), ([60, 60, 92, 92], True)])
def test_tiny_and_ignored_faces_are_left_out_of_the_loss(box, ignore):
    targets = label_targets(256)
    correct(targets, faces_of([box], ignore=[ignore]), 256)
    assert targets.face.sum() == 0
    assert (targets.face_weight < 1).any() or not ignore


def test_a_face_outside_the_crop_is_nothing():
    targets = label_targets(256)
    correct(targets, faces_of([[-60, 10, 20, 60], [300, 300, 340, 340]]), 256)
    assert targets.face.sum() == 0 and (targets.face_weight == 1).all()
