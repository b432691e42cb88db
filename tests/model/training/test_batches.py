import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from model.foundation.errors import InputError
from model.networks.featherface_v2 import FeatherFaceV2
from model.training import teaching
from model.training.batches import SIDES, CachedViews, FreshViews
from model.training.photographs import read_folder, trainable
from model.training.teacher import Teacher
from model.training.teaching import shards, teach
from model.training.views import VIEW_DTYPE


@pytest.fixture
def teacher(tmp_path) -> Teacher:
    """An untrained V2: what it says means nothing, but it says it quickly and always the same."""
    torch.manual_seed(0)
    torch.save(FeatherFaceV2().state_dict(), tmp_path / "teacher.pth")
    return Teacher.load(tmp_path / "teacher.pth", "featherface_v2")


@pytest.fixture
def views(labelled_folder, teacher, tmp_path, monkeypatch):
    monkeypatch.setattr(teaching, "SHARD", 3)
    folder = tmp_path / "views"
    assert teach(read_folder(labelled_folder), teacher, folder, views=5) == 2
    return folder


def same_batch(one, other):
    for name in ("pixels", "face", "face_weight", "boxes", "box_weight", "landmarks", "landmark_weight"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_teaching_resumes_to_the_same_bytes(views, labelled_folder, teacher):
    before = [path.read_bytes() for path in shards(views)]
    shards(views)[0].unlink()
    assert teach(read_folder(labelled_folder), teacher, views, views=5) == 1
    assert [path.read_bytes() for path in shards(views)] == before
    assert teach(read_folder(labelled_folder), teacher, views, views=5) == 0
    with pytest.raises(InputError, match="another seed"):
        teach(read_folder(labelled_folder), teacher, views, views=5, seed=1)


def test_the_cached_answer_is_the_teachers(views, teacher):
    view = np.load(shards(views)[0])[1]
    with torch.inference_mode():
        pixels = torch.from_numpy(view["pixels"][None].copy()).permute(0, 3, 1, 2).float()
        boxes, probabilities, _ = teacher.network(pixels)
    np.testing.assert_allclose(view["boxes"], boxes[0].numpy(), atol=5e-3)
    face = 1 / (1 + np.exp(-view["logits"].astype(np.float32)))
    np.testing.assert_allclose(face, probabilities[0, :, 0].numpy(), atol=1e-3)


def test_held_aside_photographs_are_never_shown(views, labelled_folder):
    keys = json.loads((views / "views.json").read_text())["photographs"]
    photographs = read_folder(labelled_folder)
    assert keys == [p.key for p in trainable(photographs)]
    assert 0 < len(photographs) - len(keys) < 8


def test_a_mirrored_teacher_answers_symmetrically(teacher):
    both = Teacher(teacher.name, teacher.checkpoint_sha256, teacher.network, teacher.spec, mirrored=True)
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    inside = np.ones((1, 64, 64), bool)
    straight, flipped = both.ask(picture, inside), both.ask(picture[:, :, ::-1].copy(), inside)
    level = slice(0, 8 * 8 * 2)
    one = straight.logits[0, level].reshape(8, 8, 2)
    np.testing.assert_allclose(one, flipped.logits[0, level].reshape(8, 8, 2)[:, ::-1], atol=1e-4)
    x = straight.boxes[0, level].reshape(8, 8, 2, 4)
    y = flipped.boxes[0, level].reshape(8, 8, 2, 4)[:, ::-1]
    np.testing.assert_allclose(x * (-1, 1, 1, 1), y, atol=1e-4)


def test_batches_are_a_function_of_the_step(views, labelled_folder):
    source = CachedViews([views], read_folder(labelled_folder), seed=1, pictures=4)
    assert len(source) == 6
    again = CachedViews([views], read_folder(labelled_folder), seed=1, pictures=4)
    with ThreadPoolExecutor(2) as pool:
        batches = list(pool.map(again.batch, range(8)))
    for step, batch in enumerate(batches):
        same_batch(source.batch(step), batch)
        side = batch.pixels.shape[1]
        assert side in SIDES and len(batch) == max(2, round(4 * 320 * 320 / side**2))
        assert batch.face.shape == (
            len(batch),
            side * side // 64 * 2 + side * side // 256 * 2 + side * side // 1024 * 2,
        )
    assert len({batch.pixels.shape[1] for batch in batches}) > 1
    assert not torch.equal(batches[0].face[:1], batches[1].face[:1])


def test_new_shards_are_taken_in(views, labelled_folder, teacher):
    source = CachedViews([views], read_folder(labelled_folder), seed=1)
    teach(read_folder(labelled_folder), teacher, views, views=9)
    assert len(source) == 6
    source.refresh()
    assert len(source) == 9


def test_views_that_do_not_fit_are_refused(views, labelled_folder, tmp_path):
    photographs = read_folder(labelled_folder)
    with pytest.raises(InputError, match="name the same data folders"):
        CachedViews([views], photographs[:3], seed=1)
    with pytest.raises(InputError, match="no such file"):
        CachedViews([tmp_path / "absent"], photographs, seed=1)
    for path in shards(views):
        path.unlink()
    with pytest.raises(InputError, match="run 'python -m model teach' first"):
        CachedViews([views], photographs, seed=1)
    np.save(views / "shard_00000.npy", np.zeros(3, VIEW_DTYPE["tiles"].base))
    with pytest.raises(InputError, match="no shard of views"):
        CachedViews([views], photographs, seed=1)


def test_labels_alone_make_targets(labelled_folder):
    source = FreshViews(read_folder(labelled_folder), seed=2, pictures=4)
    batches = [source.batch(step) for step in range(3)]
    same_batch(batches[1], FreshViews(read_folder(labelled_folder), seed=2, pictures=4).batch(1))
    assert sum(float((batch.face == 1).sum()) for batch in batches) > 0
    for batch in batches:
        assert set(batch.face.unique().tolist()) <= {0.0, 1.0}
        assert torch.equal(batch.landmark_weight, (batch.face == 1).float()) and batch.features == ()


def test_a_teacher_at_hand_gives_features(labelled_folder, teacher):
    batch = FreshViews(read_folder(labelled_folder), seed=2, pictures=2, teacher=teacher).batch(0)
    side = batch.pixels.shape[1]
    assert [level.shape for level in batch.features] == [
        (len(batch), 32, side // s, side // s) for s in (8, 16, 32)
    ]
    assert teacher.width == 32


def test_a_network_with_other_anchors_cannot_teach(tmp_path):
    with pytest.raises(InputError, match="cannot teach"):
        Teacher.load(tmp_path / "any.pth", "retinaface")
