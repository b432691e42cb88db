"""Trials that resume, sensitivities and the search, on a made-up landscape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from calibration_data.readers import LabelledImage
from calibration_data.selection import select_images, write_manifest
from convert.tflite.graph import read_graph
from model.foundation.artifact import Artifact
from model.foundation.errors import InputError
from model.foundation.records import write_record
from model.runtime.flatbuffer import read_model, write_model
from quantize.__main__ import main
from quantize.calibrate.bounds import prepared
from quantize.calibrate.meter import measure_ranges
from quantize.recipe import Recipe, read_recipe
from quantize.tune.recipe_layers import Layer, layers_of
from quantize.tune.search import Objective, Search, chosen_layers, pareto, ranked_layers, recipe_name
from quantize.tune.sensitivity import all_int8, except_for, measure_sensitivity
from quantize.tune.subject import Subject
from quantize.tune.tables import search_json
from quantize.tune.trials import Bench, Trial
from tests.conftest import Converted


def _images(count: int) -> list[LabelledImage]:
    box = np.array([[0, 0, 9, 9]], np.float32)
    marks = np.full((1, 5, 2), np.nan, np.float32)
    return [
        LabelledImage(Path(f"{i}.jpg"), box, marks, np.zeros(1, bool), f"set/{i}.jpg") for i in range(count)
    ]


class Landscape(Bench):
    """A bench whose AP is 90 less a known loss for each layer in INT8; nothing is run."""

    def __init__(self, losses: dict[str, float], worse: float = 0.0) -> None:
        self.losses, self.worse, self.tried = losses, worse, 0
        self.model, self.images = Path("made_up.tflite"), _images(1)
        self._known: dict[Recipe, Trial] = {}

    def float_file(self) -> Trial:
        return self._trial(90.0, 1000)

    def try_recipe(self, recipe: Recipe) -> Trial:
        if recipe not in self._known:
            self.tried += 1
            integer = [name for name in self.losses if recipe.precision_of(name).name == "int8"]
            lost = sum(self.losses[name] for name in integer)
            lost += self.worse if lost else 0.0
            floats = sum(one.macs for one in LAYERS if one.name not in integer)
            self._known[recipe] = self._trial(90.0 - lost, 1000 - 10 * len(integer), (36e6 + floats) / 1e6)
        return self._known[recipe]

    def try_all(self, recipes: Sequence[Recipe], *_: object) -> None:
        for recipe in recipes:
            self.try_recipe(recipe)

    def _trial(self, ap50: float, size: int, cost: float = 72.0) -> Trial:
        ratios = dict.fromkeys(("boxes", "scores", "landmarks"), 10 + ap50 / 10)
        return Trial(size, ap50, ratios, {"over 64": (4, 3)}, {"a53": cost})


LOSSES = {"a": 4.0, "b": 0.1, "c": 2.0, "d": 0.1, "e": 0.0, "f": 0.05, "g": 1.0, "h": 0.0}
LAYERS = [Layer(name, ("CONV_2D",), 1_000_000 * (i + 1), 10) for i, name in enumerate(LOSSES)]


def test_the_most_sensitive_layer_comes_first() -> None:
    table = measure_sensitivity(Landscape(LOSSES), LAYERS, "min_max")
    assert [row.layer.name for row in table.rows[:3]] == ["a", "c", "g"]
    top = table.rows[0]
    assert [top.damage, top.repair] == pytest.approx([4.0, 4.0])
    value = table.to_json("t")
    assert value["layers"][0]["layer"] == "a"
    assert all(not isinstance(cell, dict | list) for row in value["layers"] for cell in row.values())
    json.dumps(value, allow_nan=False)


def _search(
    losses: dict[str, float], limit: float, worse: float = 0.0, objective: Objective = "a53"
) -> tuple[Search, Landscape]:
    bench = Landscape(losses)
    table = measure_sensitivity(bench, LAYERS, "min_max")
    order = [row.layer for row in table.rows]
    return Search(bench, Landscape(losses, worse), order, limit, objective, "min_max"), bench


def test_the_cheapest_assignment_within_the_limit_wins() -> None:
    search, _ = _search(LOSSES, 0.5)
    found = search.run()
    assert found.within_limit
    assert {layer.name for layer in found.winner.in_float} == {"a", "c", "g"}
    assert found.winner.drop == pytest.approx(0.25)
    macs = {layer.name: layer.macs for layer in LAYERS}
    assert found.winner.cost == pytest.approx((sum(macs.values()) + macs["a"] + macs["c"] + macs["g"]) / 1e6)
    recipe = search.recipe(found.winner.in_float)
    assert [recipe.precision_of(name).name for name in "abc"] == ["float16", "int8", "float16"]


def test_a_limit_that_nothing_meets_gives_the_best_and_says_so() -> None:
    found = _search(LOSSES, -1.0)[0].run()
    assert not found.within_limit
    assert found.winner.drop == pytest.approx(0.0)


def test_what_fails_on_held_aside_images_does_not_win() -> None:
    """There every file with a lossy INT8 layer is 2 points worse than on the images to choose by."""
    found = _search(LOSSES, 0.5, worse=2.0)[0].run()
    assert found.within_limit
    assert found.winner.verified_drop is not None
    assert found.winner.verified_drop <= 0.5
    lossy = {name for name, loss in LOSSES.items() if loss}
    assert lossy <= {layer.name for layer in found.winner.in_float}


def test_a_table_made_before_gives_the_order(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(measure_sensitivity(Landscape(LOSSES), LAYERS, "min_max").to_json("t")))
    assert [layer.name for layer in ranked_layers(path, LAYERS)][:3] == ["a", "c", "g"]
    with pytest.raises(InputError, match="h on one side only"):
        ranked_layers(path, LAYERS[:-1])


def test_the_front_holds_what_nothing_beats() -> None:
    found = _search(LOSSES, 0.5)[0].run()
    front = pareto(found.candidates, lambda c: c.cost)
    assert [c.cost for c in front] == sorted(c.cost for c in front)
    for one in front:
        assert not any(c.cost < one.cost and c.drop <= one.drop for c in found.candidates)


def test_an_objective_is_what_is_made_small() -> None:
    found = _search(LOSSES, 0.5, objective="bytes")[0].run()
    assert found.winner.cost == found.winner.trial.bytes
    assert list(found.prices) == ["bytes"]
    with pytest.raises(InputError, match="choose --objective bytes"):
        _search(LOSSES, 0.5, objective="a76")[0].run()


def test_layers_of_the_real_file(converted: Converted) -> None:
    layers = {layer.name: layer for layer in layers_of(read_graph(converted.float32))}
    height, width = converted.spec.input_height, converted.spec.input_width
    stem = layers["backbone/stem"]
    assert stem.weights == 16 * 27
    assert stem.macs == (height // 2) * (width // 2) * stem.weights
    tower = layers["heads/tower/pointwise"]  # once for each level, the weights shared
    cells = sum((height // s) * (width // s) for s in converted.spec.strides)
    assert (tower.weights, tower.macs) == (32 * 32, cells * 32 * 32)
    assert len(tower.operators) == 3
    with pytest.raises(InputError, match="no layer matches 'bakbone'"):
        chosen_layers(list(layers.values()), "bakbone")


def test_a_second_run_repeats_nothing(
    converted: Converted, demo_faces: list[LabelledImage], tmp_path: Path
) -> None:
    journal = tmp_path / "trials.jsonl"
    bounds = prepared(measure_ranges(converted.float32, converted.photographs), "min_max", converted.float32)
    layers = [one for one in layers_of(read_graph(converted.float32)) if one.name.startswith("heads/b")]
    assert len(layers) == 1

    first = Bench(converted.float32, bounds, demo_faces[:4], journal)
    table = measure_sensitivity(first, layers, "min_max")
    assert first.tried == 3  # all, only it in INT8, only it in float
    with journal.open("a") as stream:
        stream.write('{"key": "cut short by an interrup')
    again = Bench(converted.float32, bounds, demo_faces[:4], journal)
    repeated = measure_sensitivity(again, layers, "min_max")
    assert again.tried == 0
    assert [row.to_json() for row in repeated.rows] == [row.to_json() for row in table.rows]

    alone = table.rows[0].only_int8
    assert alone.sqnr_db["scores"] is None  # this layer feeds the boxes only
    assert alone.sqnr_db["boxes"] is not None
    other = Bench(converted.float32, bounds, demo_faces[:3], journal)
    assert not other.knows(all_int8("min_max"))
    journal.write_text("not json\n")
    with pytest.raises(InputError, match="no finished piece of work"):
        Bench(converted.float32, bounds, demo_faces[:3], journal)


def test_a_file_without_a_spec_is_given_one(
    tmp_path: Path, converted: Converted, demo_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare_float32.tflite"
    model = read_model(converted.float32)
    model.metadata = []
    write_model(model, bare)
    manifest = tmp_path / "calibration.json"
    write_manifest(select_images(demo_set / "calibration" / "images", 8, 0)[0], manifest)
    arguments = ["sensitivity", "--model", str(bare), "--calibration", str(manifest)]
    arguments += ["--data", str(demo_set / "evaluation"), "--limit", "8", "--damage-only"]
    arguments += ["--layers", "^backbone/stem$", "--output", str(tmp_path / "table.json")]
    assert main(arguments) == 2
    assert "--spec" in capsys.readouterr().err
    assert main([*arguments, "--spec", str(Artifact.record_path(converted.float32))]) == 0
    table = json.loads((tmp_path / "table.json").read_text())
    assert [one["layer"] for one in table["layers"]] == ["backbone/stem"]


def test_what_is_written_has_the_sign_of_every_drift() -> None:
    """Candidate - float: the INT8 file that loses half a point changes AP by -0.5."""
    found = _search({"a": 0.5, "b": 0.0}, 1.0)[0].run()
    written = search_json(found, 1.0, "net")
    assert written["objective"] == "a53"
    assert written["layers"][0]["ap50"] == 89.5
    assert written["layers"][0]["change"] == -0.5
    assert written["winner"]["verified_change"] == -0.5
    assert {one["change"] for one in written["candidates"]} == {-0.5, 0.0}
    assert str(written["layers"][-1]["change"]) == "0.0"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("searched.json", "searched"),
        ("featherface_v1_int8_fp16.json", "int8_fp16"),
        ("My best-1.json", "my_best_1"),
        ("_.json", "searched"),
    ],
)
def test_a_found_recipe_is_called_as_its_file(file: str, name: str) -> None:
    assert recipe_name(Path("build") / file, "featherface_v1") == name
    assert structs.replace(all_int8("mse"), name=name).name == name


def test_ranges_that_were_measured_are_kept_for_apply(
    converted: Converted, demo_set: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "calibration.json"
    write_manifest(select_images(demo_set / "calibration" / "images", 4, 0)[0], manifest)
    subject = Subject(model=converted.float32, data=[demo_set], calibration=[manifest])
    kept = subject.keep_ranges(tmp_path / "found_ranges.json")
    assert kept == tmp_path / "found_ranges.json"
    again = Subject(model=converted.float32, data=[demo_set], ranges=kept)
    assert again.keep_ranges(tmp_path / "no.json") == kept
    for name, bounds in subject.measured.items():
        for estimator, bound in bounds.items():
            assert again.measured[name][estimator] == pytest.approx(bound)
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(converted.float32.read_bytes())
    nobodys = Subject(model=bare, data=[demo_set], calibration=[manifest])
    assert nobodys.keep_ranges(tmp_path / "no.json") is None
    assert not (tmp_path / "no.json").exists()


def test_a_winner_is_a_recipe_file(tmp_path: Path) -> None:
    recipe = except_for([Layer("heads/boxes", ("FULLY_CONNECTED",), 1, 1)], "percentile")
    path = tmp_path / "recipe.json"
    write_record(path, recipe)
    assert read_recipe(path) == recipe
    assert recipe.precision_of("heads/boxes:2").name == "float16"
    assert recipe.precision_of("heads/boxes_more").name == "int8"
