"""Recipes: what cannot be meant is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.tflite.graph import read_graph
from model.foundation.errors import InputError
from quantize.recipe import LayerRule, Recipe, read_recipe
from tests.conftest import Converted


def test_recipes_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    for content, because in (
        ('{"name": "x"}', "missing required field `layers`"),
        ('{"name": "x", "layers": [], "bits": 4}', "unknown field `bits`"),
        ('{"name": "x", "layers": [{"match": ".", "precision": "int4"}]}', "unknown precision 'int4'"),
        ('{"name": "x", "layers": [{"match": "(", "precision": "int8"}]}', "no regular expression"),
        ('{"name": "X Y", "layers": []}', "lower-case"),
        ('{"name": "x", "layers": [], "estimator": "best"}', "unknown estimator 'best'"),
        ('{"name": "x", "layers": "all"}', r"Expected `array`, got `str` - at `\$.layers`"),
        ('{"name": "x", "layers": [5]}', r"Expected `object`, got `int` - at `\$.layers\[0\]`"),
        (
            '{"name": "x", "layers": [{"match": 1, "precision": "int8"}]}',
            "Expected `str`, got `int`.*match",
        ),
        (
            '{"name": "x", "layers": [], "estimator": ["mse"]}',
            "got `array`.*estimator",
        ),
        ("[", "not JSON"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=because):
            read_recipe(path)


def test_a_rule_for_no_layer_is_refused_with_the_nearest_names(converted: Converted) -> None:
    names = read_graph(converted.float32).layers
    with pytest.raises(InputError, match="heads/boxes"):
        Recipe("x", (LayerRule("heads/boxs", "int8"),)).check_layers(names)
