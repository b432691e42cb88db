"""Two files layer by layer: every difference was planted and can be computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.tflite.layer_difference import EXACT_DB, Watched, compare_layers
from model.geometry.letterbox import Pixels
from tests.small_tflite import SHAPE, SIDE, TOP, SmallModel, planted_file


@pytest.fixture
def images(rng: np.random.Generator) -> list[Pixels]:
    return [rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(3)]


def test_the_figures_are_those_computed_by_hand(tmp_path: Path, images: list[Pixels]) -> None:
    first, second = (
        planted_file(tmp_path / "a.tflite", 1.0),
        planted_file(tmp_path / "b.tflite", 1.01, integer=True),
    )
    found, _ = compare_layers(Watched(first), Watched(second), images, 20)
    by_name = {one.layer: one for one in found.layers}
    assert [one.layer for one in found.in_order] == ["zeroth", "first", "second"]
    assert by_name["zeroth"].sqnr_db == EXACT_DB
    assert by_name["first"].sqnr_db == pytest.approx(40, abs=1e-3)  # an error of 1 in 100
    assert by_name["first"].added_db == pytest.approx(40 - EXACT_DB, abs=1e-3)

    values = np.stack(images).astype(np.float64)
    stored = np.clip(np.round(values * np.float32(1.01) / 0.5) - 128, -128, 127)
    expected = 10 * np.log10((values**2).sum() / ((values - (stored + 128) * 0.5) ** 2).sum())
    assert by_name["second"].sqnr_db == pytest.approx(expected, abs=0.01)
    assert by_name["second"].outside == pytest.approx((values > TOP + 0.25).mean())
    assert by_name["second"].max_error == 255 - TOP
    assert by_name["second"].kind == "MUL"
    assert found.images == 3


def test_the_first_layer_where_they_part_and_the_worst_layer_differ(
    tmp_path: Path, images: list[Pixels]
) -> None:
    first, second = (
        planted_file(tmp_path / "a.tflite", 1.0),
        planted_file(tmp_path / "b.tflite", 1.01, integer=True),
    )
    found = [compare_layers(Watched(first), Watched(second), images, limit)[0] for limit in (50, 39, 1)]
    assert [one.layer for one in found[0].layers] == ["second", "first", "zeroth"]
    assert [one.parting for one in found] == ["first", "second", None]


def test_noise_on_silence_does_not_excuse_the_layer_behind(tmp_path: Path, images: list[Pixels]) -> None:
    def file(name: str, silence: float, gain: float) -> Watched:
        small = SmallModel()
        entry, silent, loud, total = (
            small.tensor(one, "float32", SHAPE) for one in ("image", "silent", "loud", "total")
        )
        small.add("MUL", [entry, small.constant("nothing", np.float32([silence]))], [silent])
        small.add("MUL", [entry, small.constant("gain", np.float32([gain]))], [loud])
        small.add("ADD", [loud, silent], [total])
        return Watched(small.write(tmp_path / name, [entry], [total]))

    found, _ = compare_layers(file("a.tflite", 0, 1), file("b.tflite", 1e-6, 1.01), images, 20)
    by_name = {one.layer: one for one in found.layers}
    assert by_name["silent"].sqnr_db == -EXACT_DB
    assert by_name["total"].sqnr_db == pytest.approx(40, abs=1e-2)
    assert by_name["total"].added_db == pytest.approx(0, abs=1e-2)  # as noisy as the loud one it reads


def test_histograms_count_every_value_of_both_files(tmp_path: Path, images: list[Pixels]) -> None:
    first, second = (
        planted_file(tmp_path / "a.tflite", 1.0),
        planted_file(tmp_path / "b.tflite", 1.0, integer=True),
    )
    histogram = compare_layers(Watched(first), Watched(second), images, 20)[1]["second"]
    values = np.stack(images)
    assert histogram.first.sum() == histogram.second.sum() == values.size
    assert (histogram.low, histogram.high) == (0, 255)
    edge = round(len(histogram.first) * TOP / 255)
    assert histogram.second[edge + 1 :].sum() == 0  # nothing above what int8 can express
    assert histogram.first[edge + 1 :].sum() > 0
