"""What a newcomer adds: an estimator is one file, a precision one row, and the command line knows both."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

import pytest

from calibration_data.selection import select_images, write_manifest
from convert.tflite.graph import read_graph
from model.foundation.artifact import Artifact
from quantize import precision, recipe
from quantize.__main__ import main
from quantize.apply import quantizer
from quantize.calibrate import estimators
from quantize.precision import WITH_WEIGHTS, Precision
from tests.conftest import Converted

TOY = """
from quantize.calibrate.estimators import Estimator

ESTIMATOR = Estimator(lambda seen: (-3.0, 5.0))
"""


def _apply(converted: Converted, recipe: dict[str, object], folder: Path, *more: str) -> int:
    path = folder / "recipe.json"
    path.write_text(json.dumps(recipe))
    arguments = ["apply", "--model", str(converted.float32), "--recipe", str(path), *more]
    photographs = folder / "photographs"
    return main([*arguments, "--photographs", str(photographs), "--output", str(folder / "made.tflite")])


@pytest.fixture
def folder(tmp_path: Path, demo_set: Path) -> Path:
    (tmp_path / "photographs").symlink_to(demo_set / "evaluation" / "images")
    return tmp_path


def test_an_estimator_is_one_file(
    converted: Converted, demo_set: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = folder / "more"
    more.mkdir()
    (more / "toy.py").write_text(TOY)
    monkeypatch.setattr(estimators, "__path__", [*estimators.__path__, str(more)])
    manifest, ranges = folder / "calibration.json", folder / "ranges.json"
    write_manifest(select_images(demo_set / "calibration" / "images", 4, 0)[0], manifest)
    measure = ["ranges", "--model", str(converted.float32), "--calibration", str(manifest)]
    assert main([*measure, "--output", str(ranges)]) == 0
    rules = [{"match": ".", "precision": "int8"}]
    made = {"name": "int8", "estimator": "toy", "layers": rules}
    assert _apply(converted, made, folder, "--ranges", str(ranges)) == 0
    stem = next(one for one in read_graph(folder / "made.tflite").tensors if one.name == "backbone/stem")
    assert stem.scales is not None
    assert stem.scales[0] == pytest.approx(8 / 255)


def test_a_precision_is_one_row(
    converted: Converted, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {"name": "small", "layers": [{"match": ".", "precision": "small"}]}
    assert _apply(converted, made, folder) == 2
    assert "unknown precision 'small': expected one of int8, dynamic" in capsys.readouterr().err
    small = Precision("small", "weights", 8, kinds=WITH_WEIGHTS)
    rows = MappingProxyType({**precision.PRECISIONS, "small": small})
    for module in (precision, recipe, quantizer):
        monkeypatch.setattr(module, "PRECISIONS", rows)
    assert _apply(converted, made, folder) == 0
    assert read_graph(folder / "made.tflite").tensors
    assert (folder / "made.tflite").stat().st_size < 0.5 * converted.float32.stat().st_size


def test_two_precisions_with_integer_activations_are_one_line(
    converted: Converted, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = MappingProxyType({**precision.PRECISIONS, "int4": Precision("int4", "static", 4)})
    for module in (precision, recipe, quantizer):
        monkeypatch.setattr(module, "PRECISIONS", rows)
    manifest = folder / "manifest.json"
    write_manifest(select_images(folder / "photographs", 2, 0)[0], manifest)
    rules = [{"match": ".", "precision": "int8"}, {"match": "heads", "precision": "int4"}]
    made = {"name": "two", "layers": rules}
    assert _apply(converted, made, folder, "--calibration", str(manifest)) == 2
    error = capsys.readouterr().err
    assert "recipe two asks for int4 and int8: a file can have one precision with integer" in error
    assert not (folder / "made.tflite").exists()


def test_the_dynamic_recipe_needs_no_ranges(converted: Converted, folder: Path) -> None:
    shipped = json.loads(Path("quantize/recipes/dynamic.json").read_text())
    assert _apply(converted, shipped, folder) == 0
    graph = read_graph(folder / "made.tflite")
    assert {one.arithmetic for one in graph.operators if one.macs} == {"int8_weights"}
    assert set(Artifact.load(folder / "made.tflite").record["parity"]) == {"float32"}
