"""The raw outputs of two machines, compared byte by byte; texts of the command line."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.devices.parsing import duration_s, thread_counts
from benchmark.devices.raw_outputs import Comparison, compare, difference, read_outputs
from benchmark.runner.output import Tensor
from model.foundation.errors import InputError


def test_one_different_byte_is_seen():
    first = np.arange(24, dtype=np.int8).reshape(2, 3, 4)
    second = first.copy()
    assert difference("boxes", first, second).identical == 2
    second[1, 2, 3] -= 5
    found = difference("boxes", first, second)
    assert (found.identical, found.max_error, found.mean_error) == (1, 5.0, 5 / 24)


def test_unsigned_differences_do_not_wrap():
    found = difference("scores", np.array([[0]], np.uint8), np.array([[255]], np.uint8))
    assert found.max_error == 255


def test_floats_that_only_look_equal_are_not_identical():
    first = np.array([[0.0]], np.float32)
    assert difference("boxes", first, -first).identical == 0


def test_other_shapes_cannot_be_compared():
    with pytest.raises(InputError, match="cannot be compared"):
        difference("boxes", np.zeros((1, 2)), np.zeros((1, 3)))


def test_a_model_differs_by_one_frame_of_one_output(tmp_path):
    for name, faces in (("one", 0), ("other", 1)):
        (tmp_path / name).mkdir()
        for output in ("boxes", "scores", "landmarks"):
            changed = faces if output == "scores" else 0
            np.save(tmp_path / name / f"{output}.npy", np.array([[0], [changed]], np.int8))
    agreement = {"m": compare(tmp_path / "one", tmp_path / "other"), "same": {}}
    found = Comparison(("one", "other"), ("a.jpg", "b.jpg"), (), agreement, "")
    assert found.different == ["m"]
    assert {name: one.identical for name, one in agreement["m"].items()} == {
        "boxes": 2,
        "scores": 1,
        "landmarks": 2,
    }


def test_raw_outputs_come_back_frame_by_frame(tmp_path):
    values = np.arange(12, dtype=np.float32)
    values.tofile(tmp_path / "0.raw")
    (array,) = read_outputs(tmp_path, [Tensor("boxes", "float32", (1, 2, 3), 24)])
    assert array.shape == (2, 2, 3)
    assert array.reshape(-1).tolist() == values.tolist()
    with pytest.raises(InputError, match="no multiple of 5"):
        read_outputs(tmp_path, [Tensor("boxes", "float32", (1, 5), 20)])


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5m", 90), ("10m", 600), ("1h", 3600)])
def test_durations(text, seconds):
    assert duration_s(text) == seconds


def test_thread_counts():
    assert thread_counts("4,1-2") == [1, 2, 4]
    for text in ("", "0", "a", "-1"):
        with pytest.raises(InputError, match="--threads takes numbers"):
            thread_counts(text)
