"""Label files of every format, and what is wrong with some."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calibration_data.readers import read_labels
from model.foundation.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of 200x100 pixels: `event/a b.jpg` and `event/ü.jpg`."""
    (tmp_path / "images" / "event").mkdir(parents=True)
    for name in ("a b.jpg", "ü.jpg"):
        Image.new("RGB", (200, 100)).save(tmp_path / "images" / "event" / name)
    return tmp_path


def labels(folder: Path, text: str) -> Path:
    path = folder / "labels.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_label_txt(folder: Path) -> None:
    points = " ".join(f"{10 + i} {20 + i} 0" for i in range(4)) + " -1 -1 -1"
    none = " ".join(["-1"] * 15)
    text = f"# event/a b.jpg\n10 20 30 40 {points} 0.5\n1 2 3 4 {none} 1\n5 6 7 8\n# event/ü.jpg\n"
    first, second = read_labels(labels(folder, text), folder / "images")
    assert first.name == "event/a b.jpg"
    np.testing.assert_array_equal(first.boxes_xyxy, [[10, 20, 40, 60], [1, 2, 4, 6], [5, 6, 12, 14]])
    np.testing.assert_array_equal(first.landmarks[0, :4], [[10, 20], [11, 21], [12, 22], [13, 23]])
    assert np.isnan(first.landmarks[0, 4]).all()
    assert np.isnan(first.landmarks[1:]).all()
    assert first.boxes_xyxy.dtype == first.landmarks.dtype == np.float32
    assert not first.ignore.any()
    assert len(second) == 0
    assert second.landmarks.shape == (0, 5, 2)


def test_a_word_at_the_end_of_a_line_is_the_class(folder: Path) -> None:
    text = "# event/a b.jpg\n10 20 30 40 masked_face\n10 20 30 40\n"
    (image,) = read_labels(labels(folder, text), folder / "images")
    assert image.classes == ("masked_face", "")
    assert image.boxes_xyxy.tolist() == [[10, 20, 40, 60]] * 2
    with pytest.raises(InputError, match="expected numbers, found '10 20 30 two"):
        read_labels(labels(folder, "# event/a b.jpg\n10 20 30 two words\n"), folder / "images")


def test_wider_face_with_invalid_and_empty(folder: Path) -> None:
    text = (
        "event/a b.jpg\n2\n10 20 30 40 0 0 0 0 0 0 \n50 20 3 4 0 0 0 1 0 0 \n"
        "event/ü.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n"
    )
    first, second = read_labels(labels(folder, text), folder / "images")
    np.testing.assert_array_equal(first.boxes_xyxy, [[10, 20, 40, 60], [50, 20, 53, 24]])
    assert first.ignore.tolist() == [False, True]
    assert len(second) == 0


def test_fddb_ellipses_become_their_bounds(folder: Path) -> None:
    """Compared with the extremes of points on the ellipse."""
    long_radius, short_radius, angle, x, y = 40.0, 20.0, 0.7, 90.0, 50.0
    text = f"event/a b\n1\n{long_radius} {short_radius} {angle} {x} {y}  1\n"
    (only,) = read_labels(labels(folder, text), folder / "images")
    turn = np.linspace(0, 2 * math.pi, 100_001)
    px = x + long_radius * np.cos(turn) * math.cos(angle) - short_radius * np.sin(turn) * math.sin(angle)
    py = y + long_radius * np.cos(turn) * math.sin(angle) + short_radius * np.sin(turn) * math.cos(angle)
    np.testing.assert_allclose(only.boxes_xyxy, [[px.min(), py.min(), px.max(), py.max()]], atol=1e-3)


def test_impossible_faces_are_left_out_and_counted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "# event/a b.jpg\n10 20 0 40\n10 20 5 -1\n200 10 5 5\n-9 10 5 5\n190 90 50 50\n"
    with caplog.at_level(logging.WARNING):
        (only,) = read_labels(labels(folder, text), folder / "images")
    np.testing.assert_array_equal(only.boxes_xyxy, [[190, 90, 240, 140]], "over the border is kept as it is")
    assert "2 face(s) of zero size left out, the first in event/a b.jpg" in caplog.text
    assert "2 face(s) wholly outside the image left out" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("hello\nworld\n", r"expected WIDER FACE.*'hello' on line 1"),
        ("# event/a b.jpg\n1 2 3\n", r"labels.txt:2: expected 4 or 19 or 20 columns, found 3"),
        ("# event/a b.jpg\n1 2 3 x\n", r"labels.txt:2: expected numbers"),
        ("# event/a b.jpg\n1 2 3 nan\n", r"labels.txt:2: expected finite numbers"),
        ("event/a b.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n", r"ends after 1 of 2 faces"),
        (
            "event/a b.jpg\n1\n1 2 3 4 0 0 0 0 0 0\nevent/ü.jpg\n",
            r"labels.txt:5: expected the number of faces",
        ),
        ("# event/a b.jpg\n# event/a b.jpg\n", r"labels.txt:2: .* is listed twice \(line 1\)"),
        ("# ../images/event/a b.jpg\n", "inside the folder"),
        ("# /etc/passwd\n", "inside the folder"),
        ("# .\n", "inside the folder"),
        ("event/a b.jpg\n²\n1 2 3 4 0 0 0 0 0 0\n", "expected WIDER FACE"),
        ("# event/absent.jpg\n# event/a b.jpg\n", r"1 of 2 images named by .*: event/absent.jpg"),
    ],
)
def test_what_cannot_be_used_is_said(folder: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_labels(labels(folder, text), folder / "images")


def test_absent_images_can_be_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = labels(folder, "# event/absent.jpg\n# event/a b.jpg\n")
    with caplog.at_level(logging.WARNING):
        found = read_labels(path, folder / "images", skip_absent=True)
    assert [one.name for one in found] == ["event/a b.jpg"]
    assert "1 of 2 images" in caplog.text
    with pytest.raises(InputError, match="1 of 1 images"):
        read_labels(labels(folder, "# event/absent.jpg\n"), folder / "images", skip_absent=True)


def test_the_folder_above_is_recognised(folder: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean .*images"):
        read_labels(labels(folder, "# event/a b.jpg\n"), folder)


def test_files_that_are_not_there(folder: Path) -> None:
    with pytest.raises(InputError, match="no such label file"):
        read_labels(folder / "absent.txt", folder / "images")
    with pytest.raises(InputError, match="found a folder"):
        read_labels(folder / "images", folder / "images")
    with pytest.raises(InputError, match="no such folder of images"):
        read_labels(labels(folder, "# a.jpg\n"), folder / "absent")
    (folder / "binary.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="not a text file"):
        read_labels(folder / "binary.txt", folder / "images")


def test_real_sets_have_the_faces_that_their_card_says(shared: Path) -> None:
    data = shared / "data"
    for name, images, faces in (("fddb_dev", 276, 517), ("mask_dev", 100, 404)):
        found = read_labels(data / name / "label.txt", data / name / "images")
        assert (len(found), sum(len(one) for one in found)) == (images, faces)
    wider = data / "wider_gt" / "wider_face_val_bbx_gt.txt"
    found = read_labels(wider, data / "wider_val5" / "images", skip_absent=True)
    assert (len(found), sum(len(one) for one in found)) == (5, 176)
