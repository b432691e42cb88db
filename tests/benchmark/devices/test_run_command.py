"""Comparing the raw outputs of two machines, and the photographs they get."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.devices.arguments import counts_of, duration_s
from benchmark.devices.frames import chosen_images, read_outputs
from benchmark.devices.run_command import agreement
from model.foundation.errors import InputError


def test_no_frames_agree():
    empty = np.zeros((0, 4, 4), np.int8)
    assert agreement("boxes", empty, empty).identical


def test_one_different_byte_is_seen():
    first = np.arange(24, dtype=np.int8).reshape(2, 3, 4)
    second = first.copy()
    assert agreement("boxes", first, second).identical
    second[1, 2, 3] -= 5
    found = agreement("boxes", first, second)
    assert (found.identical, found.identical_frames, found.frames) == (False, 1, 2)
    assert (found.largest, found.mean) == (5.0, 5 / 24)


def test_unsigned_differences_do_not_wrap():
    found = agreement("scores", np.array([[0]], np.uint8), np.array([[255]], np.uint8))
    assert found.largest == 255


def test_floats_that_only_look_equal_are_not_identical():
    first = np.array([[0.0]], np.float32)
    assert not agreement("boxes", first, -first).identical


def test_other_shapes_cannot_be_compared():
    with pytest.raises(InputError, match="cannot be compared"):
        agreement("boxes", np.zeros((1, 2)), np.zeros((1, 3)))


def test_images_are_spread_evenly_and_in_order(tmp_path):
    from PIL import Image

    for number in range(10):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.png")
    assert [path.stem for path in chosen_images(tmp_path, 4)] == ["0", "3", "6", "9"]
    assert len(chosen_images(tmp_path, None)) == len(chosen_images(tmp_path, 99)) == 10


def test_raw_outputs_come_back_frame_by_frame(tmp_path):
    values = np.arange(12, dtype=np.float32)
    values.tofile(tmp_path / "0.raw")
    (array,) = read_outputs(tmp_path, [(1, 2, 3)], ["float32"])
    assert array.shape == (2, 2, 3)
    assert array.reshape(-1).tolist() == values.tolist()
    with pytest.raises(InputError, match="no multiple of 5"):
        read_outputs(tmp_path, [(1, 5)], ["float32"])


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5m", 90), ("10m", 600), ("1h", 3600)])
def test_durations(text, seconds):
    assert duration_s(text) == seconds


def test_thread_counts():
    assert counts_of("4,1-2") == [1, 2, 4]
    for text in ("", "0", "a", "-1"):
        with pytest.raises(InputError, match="--threads takes numbers"):
            counts_of(text)
