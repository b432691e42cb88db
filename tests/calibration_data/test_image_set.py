"""Parts of an image set: random, halves that stay apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calibration_data.image_set import ImageSet, chance
from calibration_data.readers import LabelledImage
from model.foundation.errors import InputError


def a_set(count: int) -> ImageSet:
    box, marks = np.array([[0, 0, 9, 9]], np.float32), np.full((1, 5, 2), np.nan, np.float32)
    labels = [
        LabelledImage(Path(f"{i}.jpg"), box, marks, np.zeros(1, bool), f"set/{i}.jpg") for i in range(count)
    ]
    return ImageSet("made up", {one.name: one.path for one in labels}, tuple(labels))


def places(images: ImageSet) -> list[int]:
    return [int(path.stem) for path in images.images.values()]


def test_a_sample_is_random_but_repeatable_and_in_order() -> None:
    whole = a_set(50)
    drawn = whole.sample(10, seed=0)
    assert len(drawn) == 10
    assert places(drawn) == sorted(places(drawn))
    assert places(drawn) == places(whole.sample(10, seed=0)) != places(whole.sample(10, seed=1))
    assert [one.name for one in drawn.labelled] == list(drawn.images)
    assert whole.sample(None, 0) is whole.sample(99, 0) is whole


def test_halves_are_disjoint_complete_and_stable() -> None:
    whole = a_set(200)
    chosen, held = list(whole.half("search").images), list(whole.half("verify").images)
    assert not {*chosen} & {*held}
    assert {*chosen, *held} == {*whole.images}
    assert 60 < len(chosen) < 140
    backwards = ImageSet("", dict(reversed(whole.images.items())))
    assert {*backwards.half("search").images} == {*chosen}
    assert hashlib.sha256(chosen[0].encode()).digest()[0] % 2 == 0
    with pytest.raises(InputError, match="no image for the half"):
        a_set(0).half("search")


def test_a_part_has_an_image() -> None:
    with pytest.raises(InputError, match="at least 1 image"):
        a_set(9).sample(0, 0)


def test_a_set_is_named_after_its_folder_and_may_lack_labels(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "images"
    (folder / "b").mkdir(parents=True)
    for name in ("b/1.png", "a.png"):
        Image.new("RGB", (8, 8)).save(folder / name)
    bare = ImageSet.read(folder)
    assert (bare.name, list(bare.images)) == ("images", ["a.png", "b/1.png"])
    with pytest.raises(InputError, match="images: this needs labels"):
        _ = bare.labelled
    (tmp_path / "photos" / "label.txt").write_text("# b/1.png\n1 1 4 4\n")
    labelled = ImageSet.in_folder(tmp_path / "photos")
    assert (labelled.name, list(labelled.images)) == ("photos", ["b/1.png"])
    assert ImageSet.read(folder, tmp_path / "photos" / "label.txt").name == "photos"


def test_chance_is_decided_by_the_text_and_evenly_spread() -> None:
    values = [chance(f"folder/{number}.jpg") for number in range(2000)]
    assert values == [chance(f"folder/{number}.jpg") for number in range(2000)]
    assert sum(value < 0.05 for value in values) == pytest.approx(100, abs=30)
    # printf a/b.jpg | sha256sum, its first eight digits
    assert chance("a/b.jpg") == 0x4A516362 / 2**32
