"""TFLite files are looked at by the same rules as ONNX files; a recipe leaves out what it keeps in float."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model.foundation.errors import InputError
from model.foundation.records import from_json
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import put_spec
from quantize.inspect.lint.linting import lint_file
from quantize.recipe import LayerRule, Recipe
from tests.conftest import ROOT
from tests.small_tflite import SmallModel, planted_file

PAIRS = json.loads(Path(__file__).with_name("pairs.json").read_text())["pairs"]
"""Detectors and recipes: AP that was measured of the float and the quantized file, and lint's errors."""
INT8 = Recipe("int8", (LayerRule(".", "int8"),), "mse")
HEAD_IN_FLOAT = Recipe("mixed", (LayerRule(".", "int8"), LayerRule("^output$", "float16")), "mse")


def _joining(path: Path, *, described: bool) -> Path:
    """Boxes and probabilities of 16 cells in one output [1, 16, 5], behind a layer of a quiet channel."""
    small, rng = SmallModel(), np.random.default_rng(0)
    entry = small.tensor("image", "float32", [1, 32, 32, 3])
    first, second = (rng.uniform(0.5, 1, (8, 3, 3, 3)), rng.uniform(0.5, 1, (5, 8, 8, 8)))
    first[2] /= 1000
    second[..., 2] *= 1000
    stem = small.tensor("stem", "float32", [1, 32, 32, 8])
    small.add(
        "CONV_2D", [entry, small.constant("w", first.astype(np.float32))], [stem], fusedActivationFunction=1
    )
    parts = []
    for name, rows in (("boxes", slice(0, 4)), ("logits", slice(4, 5))):
        weight = small.constant(f"{name}/weight", np.ascontiguousarray(second[rows], np.float32))
        made = small.tensor(name, "float32", [1, 4, 4, rows.stop - rows.start])
        small.add("CONV_2D", [stem, weight], [made], strideH=8, strideW=8)
        flat = small.tensor(f"{name}/rows", "float32", [1, 16, rows.stop - rows.start])
        shape = small.constant(f"{name}/shape", np.int32([1, 16, rows.stop - rows.start]))
        small.add("RESHAPE", [made, shape], [flat])
        parts.append(flat)
    scores, output = (
        small.tensor("scores", "float32", [1, 16, 1]),
        small.tensor("output", "float32", [1, 16, 5]),
    )
    small.add("LOGISTIC", [parts[1]], [scores])
    small.add("CONCATENATION", [parts[0], scores], [output], axis=2)
    small.sign([entry], [output])
    small.model.signatureDefs[0].outputs[0].name = "output"
    spec = DetectorSpec(
        "joining", 32, 32, strides=(8,), anchor_sizes=((8,),), score_channels=1, points=0, decoder="boxes",
        boxes_from=("output[0:4]",), scores_from=("output[4:5]",),
    )  # fmt: skip
    if described:
        put_spec(small.model, spec)
    return small.write(path, [entry], [output])


def test_a_tflite_file_is_looked_at_as_apply_will_cut_it(tmp_path: Path) -> None:
    bare = {one.rule: one for one in lint_file(_joining(tmp_path / "bare.tflite", described=False))}
    assert (bare["joined_outputs"].layer, bare["joined_outputs"].level) == ("output", "error")
    assert bare["uneven_channels"].layer == "stem"
    described = lint_file(_joining(tmp_path / "described.tflite", described=True))
    assert [one.rule for one in described] == ["uneven_channels"]


def test_a_recipe_leaves_out_what_it_keeps_in_float(tmp_path: Path) -> None:
    file = _joining(tmp_path / "bare.tflite", described=False)
    assert [one.rule for one in lint_file(file, INT8)] == ["joined_outputs", "uneven_channels"]
    assert [one.rule for one in lint_file(file, HEAD_IN_FLOAT)] == ["uneven_channels"]
    assert lint_file(file, Recipe("float16", (LayerRule(".", "float16"),))) == []


def test_least_and_largest_values_of_large_maps_are_an_error(tmp_path: Path) -> None:
    def file(side: int) -> Path:
        small = SmallModel()
        entry = small.tensor("image", "float32", [1, side, side, 3])
        stem = small.tensor("stem", "float32", [1, side, side, 4])
        weight = small.constant("w", np.ones((4, 1, 1, 3), np.float32))
        small.add("CONV_2D", [entry, weight], [stem], fusedActivationFunction=1)
        return small.write(tmp_path / f"{side}.tflite", [entry], [stem])

    def rules(side: int, recipe: Recipe) -> list[tuple[str, str]]:
        return [(one.rule, one.layer) for one in lint_file(file(side), recipe) if one.level == "error"]

    extremes, rules_of = (
        Recipe("int8", INT8.layers, "min_max"),
        (LayerRule(".", "int8"), LayerRule("stem", "float16")),
    )
    assert rules(256, extremes) == [("rare_extremes", "stem")]
    assert rules(64, extremes) == rules(256, Recipe("int8", INT8.layers, "mse")) == []
    assert rules(256, Recipe("mixed", rules_of, "min_max")) == []


def test_a_quantized_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is quantized already"):
        lint_file(planted_file(tmp_path / "int8.tflite", 1, integer=True))


def test_errors_are_those_that_were_held_against_losses() -> None:
    """Of the float files that lie in build/; the table in quantize/inspect/README.md has the losses."""
    present = [pair for pair in PAIRS if (ROOT / "build" / pair["model"]).is_file()]
    if not present:
        pytest.skip("nothing in build/: make tflite")
    for pair in present:
        found = lint_file(ROOT / "build" / pair["model"], from_json(Recipe, pair["recipe"], "pairs.json"))
        errors = dict.fromkeys(one.rule for one in found if one.level == "error")
        assert list(errors) == pair["errors"], pair


def test_most_errors_foretell_losses() -> None:
    grave = [pair["float_ap"] - pair["quantized_ap"] > 2 for pair in PAIRS]
    told = [bool(pair["errors"]) for pair in PAIRS]
    assert (len(PAIRS), sum(grave), sum(told)) == (27, 8, 8)
    assert sum(one and other for one, other in zip(grave, told, strict=True)) == 7
