"""Image files of every kind, and what is no image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calibration_data import images
from calibration_data.images import ReadableImages, describe_broken, image_size, list_images, load_rgb
from model.foundation.errors import InputError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def corner(path: Path) -> tuple[int, ...]:
    return tuple(int(value) for value in load_rgb(path)[0, 0])


def test_an_rgb_image_is_read_as_it_is(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = load_rgb(tmp_path / "a.png")
    assert found.dtype == np.uint8
    assert found.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(found, pixels)
    assert image_size(tmp_path / "a.png") == (5, 7)


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("L", 100, ".png", (100, 100, 100)),
        ("1", 1, ".png", WHITE),
        ("CMYK", (0, 255, 255, 0), ".tif", RED),
        ("I;16", 0xABCD, ".png", (0xAB, 0xAB, 0xAB)),
        ("I;16", 200, ".tif", (0, 0, 0)),
        ("RGBA", (255, 0, 0, 0), ".png", WHITE),
        ("RGBA", (255, 0, 0, 255), ".png", RED),
        ("LA", (0, 0), ".png", WHITE),
    ],
)
def test_every_mode_becomes_rgb(
    tmp_path: Path, mode: str, colour: object, suffix: str, expected: tuple[int, ...]
) -> None:
    path = tmp_path / f"image{suffix}"
    Image.new(mode, (4, 3), colour).save(path)  # type: ignore[arg-type]
    assert load_rgb(path).shape == (3, 4, 3)
    assert corner(path) == expected


def test_a_palette_with_a_transparent_colour_lies_over_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert load_rgb(tmp_path / "a.png").tolist() == [[list(WHITE), list(RED)]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations_stand_upright(tmp_path: Path, orientation: int) -> None:
    """The stored pixels are what a camera held in that way writes for one and the same scene."""
    scene = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    held = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.T,
        6: np.rot90(scene, 1),
        7: scene[::-1, ::-1].T,
        8: np.rot90(scene, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(held[orientation])).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(load_rgb(tmp_path / "a.png")[..., 0], scene)
    assert image_size(tmp_path / "a.png") == (2, 3)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\x00\x01\x02\x03", "not an image"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=word) as caught:
        load_rgb(tmp_path / "a.jpg")
    assert "a.jpg" in str(caught.value)


def test_a_truncated_image_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    whole, path = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(whole)
    path.write_bytes(whole.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"cut\.jpg: broken image"):
        load_rgb(path)


def test_a_huge_image_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 10)
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="4x3 is more than 10 pixels"):
        load_rgb(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(InputError, match="more than 10 pixels"):
        load_rgb(tmp_path / "a.png")


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="floating-point"):
        load_rgb(tmp_path / "a.tif")


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such image: .*a\.png"):
        load_rgb(tmp_path / "a.png")


def test_broken_images_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"nonsense")
    readable = ReadableImages(list_images(tmp_path))
    assert describe_broken(readable.broken) == ""
    assert [path.name for path, _ in readable] == ["a.png", "c.png"]
    assert [one.path.name for one in readable.broken] == ["b.png"]
    assert describe_broken(readable.broken).startswith("1 broken image(s) skipped: ")
    assert len(list(readable)) == 2
    assert len(readable.broken) == 1, "a second walk starts counting anew"


def test_images_of_a_folder_come_in_order_and_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "b/10.jpg", "a.png", ".hidden/x.png", "b/._2.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert found == ["a.png", "b/10.jpg", "b/2.JPG"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image in"):
        list_images(tmp_path)
    with pytest.raises(InputError, match="found nothing"):
        list_images(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="found a file"):
        list_images(tmp_path / "file")
