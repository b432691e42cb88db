"""`compare` on two files whose every difference was planted and can be computed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.report.plots import layer_bars
from benchmark.report.rows import read_layers
from convert.tflite.layer_difference import EXACT_DB, Watched, compare_layers
from model.geometry.letterbox import Pixels
from quantize.__main__ import main
from tests.quantize.small_tflite import SmallModel

SIDE = 32
SHAPE = [1, SIDE, SIDE, 3]
TOP = 127.5
"""The largest value of the planted int8 tensor: scale 0.5, zero point -128."""


def _file(path: Path, gain: float, *, integer: bool = False, name: str = "second") -> Path:
    """zeroth = x, first = gain * x, second = first (as int8 if `integer`)."""
    small = SmallModel()
    entry = small.tensor("image", "float32", SHAPE)
    zeroth, first = (small.tensor(one, "float32", SHAPE) for one in ("zeroth", "first"))
    small.add("MUL", [entry, small.constant("one", np.float32([1]))], [zeroth])
    small.add("MUL", [zeroth, small.constant("gain", np.float32([gain]))], [first])
    if integer:
        second = small.tensor(name, "int8", SHAPE, 0.5, -128)
        small.add("QUANTIZE", [first], [second])
    else:
        second = small.tensor(name, "float32", SHAPE)
        small.add("MUL", [first, small.constant("again", np.float32([1]))], [second])
    return small.write(path, [entry], [second])


@pytest.fixture
def images(rng: np.random.Generator) -> list[Pixels]:
    return [rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(3)]


@pytest.fixture
def folder(tmp_path: Path, images: list[Pixels]) -> Path:
    target = tmp_path / "images"
    target.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(target / f"{index}.png")
    return target


def test_the_figures_are_those_computed_by_hand(tmp_path: Path, images: list[Pixels]) -> None:
    first, second = _file(tmp_path / "a.tflite", 1.0), _file(tmp_path / "b.tflite", 1.01, integer=True)
    found = compare_layers(Watched(first), Watched(second), images)
    by_name = {one.layer: one for one in found.layers}
    assert [one.layer for one in found.layers] == ["zeroth", "first", "second"]
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
    first, second = _file(tmp_path / "a.tflite", 1.0), _file(tmp_path / "b.tflite", 1.01, integer=True)
    found = compare_layers(Watched(first), Watched(second), images)
    assert [one.layer for one in found.worst_first] == ["second", "first", "zeroth"]
    parting = [found.parting(limit) for limit in (50, 39, 1)]
    assert [one.layer if one else None for one in parting] == ["first", "second", None]


def test_histograms_count_every_value_of_both_files(tmp_path: Path, images: list[Pixels]) -> None:
    first, second = _file(tmp_path / "a.tflite", 1.0), _file(tmp_path / "b.tflite", 1.0, integer=True)
    histogram = compare_layers(Watched(first), Watched(second), images).histograms["second"]
    values = np.stack(images)
    assert histogram.first.sum() == histogram.second.sum() == values.size
    assert (histogram.low, histogram.high) == (0, 255)
    edge = round(len(histogram.first) * TOP / 255)
    assert histogram.second[edge + 1 :].sum() == 0  # nothing above what int8 can express
    assert histogram.first[edge + 1 :].sum() > 0


def test_the_command_writes_a_page_and_a_table_that_the_report_reads(tmp_path: Path, folder: Path) -> None:
    first, second = _file(tmp_path / "a.tflite", 1.0), _file(tmp_path / "b.tflite", 1.01, integer=True)
    table, page = tmp_path / "layers.json", tmp_path / "page.html"
    arguments = ["compare", str(first), str(second), "--images", str(folder)]
    assert main([*arguments, "--json", str(table), "--html", str(page)]) == 0
    value = json.loads(table.read_text())
    assert (value["parting"], value["images"]) == ("second", 3)
    layers = read_layers(table)
    assert layers.columns[:2] == ["layer", "sqnr_db"]
    assert [row[0] for row in layers.rows] == ["second", "first", "zeroth"]
    assert layer_bars(layers) is not None
    text = page.read_text()
    assert text.count("data:image/svg+xml") == 1 + 3
    assert "http" not in text
    assert "They part at <b>second</b>" in text


@pytest.mark.parametrize("kind", ["names", "size", "limit", "junk", "images"])
def test_files_that_cannot_be_compared_are_refused_in_one_line(
    kind: str, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = _file(tmp_path / "a.tflite", 1.0), tmp_path / "b.tflite"
    extra = ["--images", str(tmp_path / "nowhere" if kind == "images" else folder)]
    if kind == "names":
        small = SmallModel()
        entry, other = small.tensor("image", "float32", SHAPE), small.tensor("other", "float32", SHAPE)
        small.add("MUL", [entry, small.constant("one", np.float32([1]))], [other])
        small.write(second, [entry], [other])
    elif kind == "size":
        small = SmallModel()
        shape = [1, 64, 32, 3]
        entry, other = small.tensor("image", "float32", shape), small.tensor("second", "float32", shape)
        small.add("MUL", [entry, small.constant("one", np.float32([1]))], [other])
        small.write(second, [entry], [other])
    elif kind == "junk":
        second.write_bytes(b"\x1c\0\0\0TFL3 and nothing behind it")
    else:
        _file(second, 1.0)
    if kind == "limit":
        extra += ["--limit", "0"]
    assert main(["compare", str(first), str(second), *extra]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error[-1].startswith("error: ")
    assert len(error) == 1
