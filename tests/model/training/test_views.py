import cv2
import numpy as np
import pytest

from calibration_data.readers import LabelledImage
from model.training.degrade import degrade
from model.training.photographs import Photograph, photograph_sizes, read_folder
from model.training.views import (
    MOST_ENLARGED,
    MOST_TILES,
    TILE_DTYPE,
    VIEW,
    VIEW_DTYPE,
    draw_view,
    plan_view,
    render,
    truth_of,
)


def photograph(tmp_path, height, width, box):
    """Dark, but for one white rectangle."""
    image = np.full((height, width, 3), 40, np.uint8)
    x_min, y_min, x_max, y_max = box
    image[y_min:y_max, x_min:x_max] = 255
    path = tmp_path / f"{height}x{width}.png"
    cv2.imwrite(str(path), image)
    labelled = LabelledImage(
        path,
        np.array([box], np.float32),
        np.full((1, 5, 2), np.nan, np.float32),
        np.zeros(1, bool),
        path.name,
    )
    return Photograph(labelled, "drawn", True)


def tiles_of(*rows):
    tiles = np.zeros(MOST_TILES, TILE_DTYPE)
    tiles["photograph"] = -1
    for index, row in enumerate(rows):
        tiles[index] = row
    return tiles


WHOLE = (0, 0, VIEW, VIEW)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("scale", [0.31, 0.8, 1.0, 2.7])
def test_marked_faces_are_where_the_pixels_are(tmp_path, scale, smooth):
    one = photograph(tmp_path, 200, 220, (30, 40, 110, 100))
    tiles = tiles_of((0, scale, (17.0, 5.0), WHOLE))
    pixels, inside = render(tiles, [one], smooth)
    box = truth_of(tiles, [one]).boxes_xyxy[0]
    rows, columns = np.nonzero(pixels[..., 0] > 147)
    seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose(box, seen, atol=1.01)
    assert (pixels[~inside] == 0).all()
    assert inside.sum() == pytest.approx(200 * 220 * scale**2, rel=0.03)


def test_a_mosaic_keeps_each_photograph_in_its_window(tmp_path):
    one = photograph(tmp_path, 400, 400, (100, 100, 300, 300))
    windows = [(0, 0, 320, 320), (320, 0, 640, 320)]
    tiles = tiles_of((0, 1.0, (-90.0, 0.0), windows[0]), (0, 0.4, (400.0, 100.0), windows[1]))
    pixels, inside = render(tiles, [one], smooth=False)
    assert (pixels[:, 320:400] == 0).all() and not inside[:, 320:400].any()
    faces = truth_of(tiles, [one])
    np.testing.assert_allclose(faces.boxes_xyxy, [[10, 100, 210, 300], [440, 140, 520, 220]])
    np.testing.assert_array_equal(pixels[200, 100], [255, 255, 255])
    np.testing.assert_array_equal(pixels[180, 480], [255, 255, 255])


def test_a_face_whose_centre_is_outside_its_window_is_not_marked(tmp_path):
    one = photograph(tmp_path, 400, 400, (100, 100, 300, 300))
    faces = truth_of(tiles_of((0, 1.0, (-250.0, 0.0), (0, 0, 320, 320))), [one])
    assert len(faces.boxes_xyxy) == 0


def test_plans_cover_sizes_and_depend_on_the_draw_alone(labelled_folder):
    photographs = read_folder(labelled_folder)
    sizes = photograph_sizes(photographs)
    np.testing.assert_array_equal(sizes, [[120, 160]] * 40)

    def plans(seed):
        draw = np.random.default_rng(seed)
        return np.stack([plan_view(draw, photographs, sizes) for _ in range(300)])

    found = plans(1)
    np.testing.assert_array_equal(found, plans(1))
    mosaics = (found["photograph"] >= 0).sum(axis=1) > 1
    assert 0.25 < mosaics.mean() < 0.45
    single = found[~mosaics, 0]
    assert single["scale"].max() <= VIEW / 160 * 1.25 + 1e-6
    assert single["scale"].min() >= VIEW / 160 * 0.7 - 1e-6
    assert found["scale"].max() > MOST_ENLARGED


def test_a_drawn_view_shows_something(labelled_folder):
    photographs = read_folder(labelled_folder)
    view = np.zeros(1, VIEW_DTYPE)[0]
    draw = np.random.default_rng(3)
    for _ in range(5):
        inside = draw_view(draw, photographs, photograph_sizes(photographs), view)
        assert inside.mean() > 0.05
        assert view["pixels"][inside].mean() > 10 and (view["pixels"][~inside] == 0).all()


def test_damage_is_repeatable_and_keeps_the_shape():
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    results = [degrade(image, np.random.default_rng(seed)) for seed in range(60)]
    again = [degrade(image, np.random.default_rng(seed)) for seed in range(60)]
    for one, other in zip(results, again, strict=True):
        assert one.shape == image.shape and one.dtype == np.uint8
        np.testing.assert_array_equal(one, other)
    grey = sum(bool((np.ptp(result.astype(int), axis=2) == 0).all()) for result in results)
    assert 1 <= grey <= 15
    assert sum(bool((result == image).all()) for result in results) < 20
