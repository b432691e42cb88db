from dataclasses import replace

import numpy as np
import pytest

from model.foundation.errors import InputError
from model.training.samples.photographs import (
    HELD_ASIDE,
    Photograph,
    held_aside,
    read_folder,
    read_photographs,
)


def test_labels_and_bare_folders(labelled_folder, tmp_path):
    bare = tmp_path / "bare"
    (bare / "deeper").mkdir(parents=True)
    (labelled_folder / "images" / "0.png").rename(bare / "deeper" / "a.png")
    with pytest.raises(InputError, match=r"0\.png"):
        read_photographs([labelled_folder])
    (bare / "deeper" / "a.png").rename(labelled_folder / "images" / "0.png")
    with pytest.raises(InputError, match="no image"):
        read_photographs([bare])
    (bare / "b.png").write_bytes((labelled_folder / "images" / "1.png").read_bytes())
    found = read_photographs([labelled_folder, bare])
    assert len(found) == 41
    assert [p.key for p in found[-2:]] == ["drawn_train/39.png", "bare/b.png"]
    assert [p.labelled for p in found[-2:]] == [True, False]
    assert sum(len(p.image) for p in found) == 60


def test_the_part_held_aside_depends_on_the_name_alone(labelled_folder):
    one = read_folder(labelled_folder)[0]
    many = [Photograph(replace(one.image, name=f"{index}.jpg"), "set", True) for index in range(20_000)]
    aside = [p for p in many if p.held_aside]
    assert abs(len(aside) / len(many) - HELD_ASIDE) < 0.005
    assert [p.held_aside for p in many] == [p.held_aside for p in many]
    moved = [replace(p, image=replace(p.image, path=p.image.path.parent / "elsewhere")) for p in aside]
    assert all(p.held_aside for p in moved)
    sets = held_aside([*many[:100], replace(many[0], labelled=False), *many[:100]])
    assert sets == {"set": [p.image for p in many[:100] if p.held_aside]}, "each once"


@pytest.mark.parametrize("name", ["fddb_dev", "wider_val5", "wider_val120", "my_test"])
def test_an_evaluation_set_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="never train on it"):
        read_photographs([tmp_path / name])


def test_what_is_missing_is_named(labelled_folder, tmp_path):
    with pytest.raises(InputError, match="no such folder of photographs"):
        read_photographs([tmp_path / "absent"])
    (labelled_folder / "images").rename(labelled_folder / "pictures")
    with pytest.raises(InputError, match="expected the folder"):
        read_photographs([labelled_folder])


def test_widerface_layout(labelled_folder, tmp_path):
    home = tmp_path / "widerface"
    home.mkdir()
    labelled_folder.rename(home / "train")
    found = read_folder(home)
    assert len(found) == 40 and found[0].key == "widerface/0.png"
    assert np.isfinite(found[0].image.landmarks).all()
