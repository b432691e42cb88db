import numpy as np
import pytest
import torch

from model.foundation.errors import InputError
from model.geometry.boxes import Detections
from model.training.samples.album import Album
from model.training.teacher.answers import FACE, load_answers, look, merged, save_answers, settle
from model.training.teacher.scrfd import corners


def detections(*rows):
    """Rows of box and score; the landmarks stand in the middle."""
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    points = np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 5, axis=1)
    return Detections(boxes, np.array([row[4] for row in rows], np.float32), points)


def test_two_looks_make_sure():
    one, other = detections((0, 0, 10, 10, 0.8), (50, 50, 60, 60, 0.6)), detections((0, 0, 10, 12, 0.6))
    found = merged([one, other])
    assert found.scores.tolist() == pytest.approx([0.7, 0.3])
    assert 10 < found.boxes_xyxy[0, 3] < 12
    assert len(merged([detections(), detections()])) == 0
    assert merged([one]).scores.tolist() == pytest.approx([0.8, 0.6])


def marks(*boxes):
    count = len(boxes)
    return (
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full((count, 5, 2), np.nan, np.float32),
        np.zeros(count, bool),
    )


def test_marks_stand_and_take_the_teachers_landmarks():
    faces = settle(*marks([0, 0, 10, 10], [100, 100, 120, 120]), True, detections((0, 1, 10, 11, 0.9)))
    assert faces.boxes_xyxy.tolist() == [[0, 0, 10, 10], [100, 100, 120, 120]]
    assert faces.sure.tolist() == [1, 1]
    assert np.isfinite(faces.points[0]).all() and np.isnan(faces.points[1]).all()


def test_what_nobody_marked():
    found = detections((0, 0, 10, 10, 0.9), (50, 50, 60, 60, FACE - 0.1))
    labelled = settle(*marks(), True, found)
    assert labelled.sure.tolist() == [0.0], "where others are marked it is in doubt"
    bare = settle(*marks(), False, found)
    assert bare.sure.tolist() == pytest.approx([0.9, 0.0])
    assert len(settle(*marks(), False, None)) == 0


def test_answers_are_kept(tmp_path):
    given = [detections(), detections((0, 0, 10, 10, 0.9), (5, 5, 9, 9, 0.5))]
    save_answers(tmp_path / "answers.npz", ["a/1.jpg", "b/2.jpg"], given)
    found = load_answers(tmp_path / "answers.npz")
    assert list(found) == ["a/1.jpg", "b/2.jpg"] and len(found["a/1.jpg"]) == 0
    assert np.array_equal(found["b/2.jpg"].landmarks, given[1].landmarks)
    with pytest.raises(InputError, match="model teach"):
        load_answers(tmp_path / "absent.npz")
    (tmp_path / "answers.npz").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="holds no teacher's answers"):
        load_answers(tmp_path / "answers.npz")
    np.savez(tmp_path / "answers.npz", keys=["a"], counts=[1], boxes=[[1, 2, 3]], scores=[1], points=[[0]])
    with pytest.raises(InputError, match="holds no teacher's answers"):
        load_answers(tmp_path / "answers.npz")


class Pointing(torch.nn.Module):
    """Stands for a teacher: sees a face of 24 pixels round each corner of a cell that is bright."""

    def __init__(self):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, pixels):
        height, width = pixels.shape[2:]
        at = corners(height, width).long()
        bright = pixels[:, 0, at[:, 1], at[:, 0]].float() > 128
        small = torch.arange(len(at)) < height // 8 * (width // 8) * 2
        logits = torch.where(bright & small, 3.0, -9.0)
        return logits, torch.full((len(pixels), len(at), 4), 12.0), torch.zeros(len(pixels), len(at), 10)


def test_a_look_answers_in_pixels_of_the_photograph():
    images = [np.zeros((160, 320, 3), np.uint8) for _ in range(3)]
    images[1][78:83, 158:163] = 255
    looks = list(look(Pointing(), Album.of(images), np.array([0, 1, 2]), [640], at_once=2))
    assert [len(each) for each in looks] == [1, 1, 1]
    assert len(looks[0][0]) == 0 and len(looks[1][0]) >= 1
    centre = looks[1][0].boxes_xyxy.reshape(-1, 2, 2).mean(axis=1)
    assert abs(centre - [160, 80]).max() < 3
    assert np.ptp(looks[1][0].boxes_xyxy[:, 0::2], axis=1) == pytest.approx(12)
