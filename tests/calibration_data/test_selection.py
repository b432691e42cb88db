from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calibration_data.demo import SPLITS, write_demo_set
from calibration_data.images import load_rgb
from calibration_data.readers import LabelledImage, read_labels
from calibration_data.selection import Manifest, read_manifest, select_images, write_manifest
from model.foundation.artifact import sha256_of
from model.foundation.errors import InputError


def _pictures(folder: Path, count: int) -> None:
    for index in range(count):
        Image.fromarray(np.full((8, 8, 3), index, np.uint8)).save(folder / f"{index}.png")


@pytest.mark.parametrize(
    ("files", "is_demo"),
    [
        (("demo_000.png", "a/demo_063.png"), True),
        (("demo_000.png", "beach.png"), False),
        (("demo_1.png",), False),
    ],
)
def test_the_demo_set_is_known_by_its_names(files: tuple[str, ...], is_demo: bool) -> None:
    assert Manifest(Path(), files, ("",) * len(files), 0, {}).is_demo_set == is_demo


def test_a_selection_is_seeded_recorded_and_checked(tmp_path: Path) -> None:
    _pictures(tmp_path, 10)
    manifest, broken = select_images(tmp_path, 4, seed=1)
    assert broken == ""
    assert select_images(tmp_path, 4, seed=1)[0] == manifest
    assert select_images(tmp_path, 4, seed=2)[0] != manifest
    assert manifest.sha256 == tuple(sha256_of(tmp_path / name) for name in manifest.files)
    path = tmp_path / "record" / "manifest.json"
    assert write_manifest(manifest, path)
    assert not write_manifest(manifest, path)  # nothing changed: make has nothing to do
    assert [image[0, 0, 0] for image in read_manifest(path).load()] == [int(n[0]) for n in manifest.files]
    (tmp_path / manifest.files[0]).write_bytes(b"changed")
    with pytest.raises(InputError, match="not the image that was selected"):
        read_manifest(path).load()


def test_broken_images_are_named_counted_and_passed_over(tmp_path: Path) -> None:
    _pictures(tmp_path, 2)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff nothing")
    manifest, broken = select_images(tmp_path, 10, seed=0)
    assert sorted(manifest.files) == ["0.png", "1.png"]
    assert "1 broken image" in broken
    assert "bad.jpg" in broken
    assert list(manifest.skipped) == ["bad.jpg"]


def test_folders_without_a_usable_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image"):
        select_images(tmp_path, 1, 0)
    with pytest.raises(InputError, match="folder of images"):
        select_images(tmp_path / "absent", 1, 0)
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(InputError, match="no readable image"):
        select_images(tmp_path, 1, 0)
    with pytest.raises(InputError, match="at least 1"):
        select_images(tmp_path, 0, 0)


def test_the_demo_set_is_whole_and_reproducible(demo_set: Path, tmp_path: Path) -> None:
    write_demo_set(tmp_path)
    for split, count in SPLITS.items():
        labelled = read_labels(demo_set / split / "label.txt", demo_set / split / "images")
        assert len(labelled) == count
        for one in labelled[:8]:
            assert np.array_equal(load_rgb(one.path), load_rgb(tmp_path / split / "images" / one.path.name))


def test_demo_faces_are_inside_apart_and_of_many_sizes(demo_faces: list[LabelledImage]) -> None:
    heights = []
    for one in demo_faces:
        height, width = load_rgb(one.path).shape[:2]
        for box, points in zip(one.boxes_xyxy, one.landmarks, strict=True):
            assert 0 <= box[0] < box[2] <= width
            assert 0 <= box[1] < box[3] <= height
            heights.append(box[3] - box[1])
            if not np.isnan(points).any():
                assert (points >= box[:2]).all()
                assert (points <= box[2:]).all()
    assert len(heights) > 100
    assert min(heights) < 30
    assert max(heights) > 150


def test_published_v1_finds_the_demo_faces(shared: Path, demo_faces: list[LabelledImage]) -> None:
    """The labels are right by the judgement of a detector that had no part in making them."""
    from model.geometry.boxes import detect, iou_matrix
    from model.geometry.letterbox import letterbox
    from model.networks import spec_of
    from model.runtime.running import open_model

    spec = spec_of("featherface_v1", 320, 320)
    network = open_model(shared / "checkpoints" / "featherface_v1_w64.pth", spec)
    faces = found = 0
    for one in demo_faces[:16]:
        pixels, how = letterbox(load_rgb(one.path), spec)
        detections = how.to_image(detect(*network.run(pixels).values, spec, 0.5))
        heights = (one.boxes_xyxy[:, 3] - one.boxes_xyxy[:, 1]) * how.scale
        # The portrait alone: the grey crops of 25 x 25 pixels are hard without their surroundings.
        large = one.boxes_xyxy[(heights > 24) & np.isfinite(one.landmarks[:, 0, 0])]
        faces += len(large)
        found += int((iou_matrix(large, detections.boxes_xyxy).max(axis=1, initial=0) > 0.5).sum())
    assert faces > 10
    assert found >= 0.9 * faces
