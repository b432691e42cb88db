"""`compare` on two files whose every difference was planted and can be computed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.report.plots import layer_bars
from benchmark.report.rows import read_layers
from model.geometry.letterbox import Pixels
from quantize.__main__ import main
from tests.small_tflite import SHAPE, SIDE, SmallModel, planted_file


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


def test_the_command_writes_a_page_and_a_table_that_the_report_reads(tmp_path: Path, folder: Path) -> None:
    first, second = (
        planted_file(tmp_path / "a.tflite", 1.0),
        planted_file(tmp_path / "b.tflite", 1.01, integer=True),
    )
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


def test_a_layer_of_another_size_stands_in_one_file_alone(tmp_path: Path, folder: Path) -> None:
    files = []
    for channels in (2, 1):
        small = SmallModel()
        image, scaled, head = (
            small.tensor(name, "float32", shape)
            for name, shape in (("image", SHAPE), ("scaled", SHAPE), ("scores", [1, SIDE, SIDE, channels]))
        )
        small.add("MUL", [image, small.constant("one", np.float32([1]))], [scaled])
        weights = small.constant("weights", np.ones((channels, 1, 1, 3), np.float32))
        small.add(
            "CONV_2D", [scaled, weights, small.constant("bias", np.zeros(channels, np.float32))], [head]
        )
        files.append(str(small.write(tmp_path / f"{channels}.tflite", [image], [head])))
    table = tmp_path / "layers.json"
    assert main(["compare", *files, "--images", str(folder), "--json", str(table)]) == 0
    value = json.loads(table.read_text())
    assert [one["layer"] for one in value["layers"]] == ["scaled"]
    assert value["only_in_first"] == value["only_in_second"] == ["scores"]


@pytest.mark.parametrize("kind", ["names", "size", "limit", "junk", "images"])
def test_files_that_cannot_be_compared_are_refused_in_one_line(
    kind: str, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = planted_file(tmp_path / "a.tflite", 1.0), tmp_path / "b.tflite"
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
        planted_file(second, 1.0)
    if kind == "limit":
        extra += ["--limit", "0"]
    assert main(["compare", str(first), str(second), *extra]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error[-1].startswith("error: ")
    assert len(error) == 1
