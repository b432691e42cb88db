"""Bounds for the quantizer: what is joined, and means that no processor rounds differently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.tflite.graph import read_graph
from model.runtime.running import open_model
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import LEAST_DIVISOR, joined, prepared, without_ties
from quantize.calibrate.meter import measure_ranges
from quantize.calibrate.ranges import Bounds, Ranges
from quantize.qat.mirror.scales import scale_of
from quantize.recipe import read_recipe
from tests.conftest import ROOT, Converted
from tests.small_tflite import SmallModel


@pytest.fixture(scope="module")
def measured(converted: Converted) -> Ranges:
    return measure_ranges(converted.float32, converted.photographs[:4])


@pytest.fixture(scope="module")
def bounds(converted: Converted, measured: Ranges) -> Bounds:
    return prepared(measured, "mse", converted.float32)


def test_no_mean_of_integers_is_near_a_tie(converted: Converted, bounds: Bounds, tmp_path: Path) -> None:
    file = tmp_path / "int8.tflite"
    apply_recipe(read_recipe(ROOT / "quantize" / "recipes" / "int8.json"), converted.float32, bounds, file)
    graph = read_graph(file)
    means = [operator for operator in graph.operators if operator.kind == "MEAN"]
    assert len(means) == 3
    for operator in means:
        entry, out = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
        assert entry.scales is not None
        assert out.scales is not None
        count = int(np.prod(entry.shape) / np.prod(out.shape))
        multiplier = float(entry.scales[0]) / (float(out.scales[0]) * count)
        of_all_sums = np.arange(255 * count + 1) * multiplier
        assert np.abs(of_all_sums % 1 - 0.5).min() > 1e-3


def test_a_layer_that_was_silent_makes_a_file_that_runs(
    converted: Converted, measured: Ranges, tmp_path: Path
) -> None:
    silent, reads = "attention/1/squeeze", "attention/1"
    ranges = {**measured, silent: dict.fromkeys(measured[silent], (0.0, 0.0))}
    bounds = prepared(ranges, "mse", converted.float32)
    assert bounds[silent] == (0, pytest.approx(bounds[reads][1], rel=0.05))
    file = tmp_path / "int8.tflite"
    apply_recipe(read_recipe(ROOT / "quantize" / "recipes" / "int8.json"), converted.float32, bounds, file)
    open_model(file).run(converted.photographs[0])


def test_a_mean_moves_its_range_by_a_few_hundredths(measured: Ranges, bounds: Bounds) -> None:
    moved = {name: scale_of(*bounds[name]) / scale_of(*measured[name]["mse"]) for name in bounds}
    moved = {
        name: factor
        for name, factor in moved.items()
        if name in ("attention/0", "attention/1", "attention/2")
    }
    assert len(moved) == 3
    assert all(0 < abs(factor - 1) < 1 / LEAST_DIVISOR for factor in moved.values())


def test_a_second_time_changes_nothing(converted: Converted, bounds: Bounds) -> None:
    single = {name: (float(np.float32(low)), float(np.float32(high))) for name, (low, high) in bounds.items()}
    again = without_ties(single, read_graph(converted.float32))
    assert again == single, "learned ranges arrive in the file as they are, to the last bit"


def test_what_is_joined_with_a_mean_moves_with_it(converted: Converted, measured: Ranges) -> None:
    graph = read_graph(converted.float32)
    raw = {name: range_["mse"] for name, range_ in measured.items()}
    other = next(name for name in raw if not name.startswith("attention"))
    moved = without_ties({**raw, other: raw["attention/0"]}, graph)
    assert moved[other] == moved["attention/0"] == without_ties(raw, graph)["attention/0"]
    assert moved["attention/0"] != raw["attention/0"]


def test_bounds_that_two_means_share_stay(converted: Converted, measured: Ranges) -> None:
    raw = {name: range_["mse"] for name, range_ in measured.items()}
    raw["attention/1"] = raw["attention/0"]
    moved = without_ties(raw, read_graph(converted.float32))
    assert moved["attention/1"] == moved["attention/0"] == raw["attention/0"]
    assert moved["attention/2"] != raw["attention/2"]


def test_what_a_swish_makes_nothing_of_gets_no_integers(tmp_path: Path) -> None:
    small = SmallModel()
    image, swished, gated, gate, other, out, mixed = (
        small.tensor(name, "float32", [1, 2, 2, 4])
        for name in ("image", "swished", "gated", "gate", "other", "out", "mixed")
    )
    small.add("ABS", [image], [swished])
    small.add("ABS", [image], [gated])
    small.add("LOGISTIC", [swished], [gate])
    small.add("MUL", [gate, swished], [out])
    small.add("LOGISTIC", [gated], [other])
    small.add("MUL", [other, swished], [mixed])
    measured = {
        name: {"min_max": (-40.0, 20.0), "mse": (-27.0, 15.0)}
        for name in ("swished", "gated", "out", "mixed")
    }

    def bounds(outputs: list[int]) -> Bounds:
        return prepared(measured, "mse", small.write(tmp_path / "swish.tflite", [image], outputs))

    several = bounds([out, mixed])
    assert several["swished"] == several["gated"] == (-27.0, 15.0), "a MUL more reads it; a gate is no swish"
    small.graph.operators.pop()
    alone = bounds([out, other])
    low, high = alone["swished"]
    assert high == 20.0
    assert -low / (1 + np.exp(-low)) == pytest.approx(42 / 255 / 2, rel=0.02), "half a step of the product"
    assert alone["gated"] == alone["out"] == (-27.0, 15.0)


def test_what_is_joined_behind_a_transposition_has_one_scale(tmp_path: Path) -> None:
    small = SmallModel()
    order = small.constant("order", np.int32([0, 3, 1, 2]))
    image, first, second = (
        small.tensor(name, "float32", [1, 2, 2, 4]) for name in ("image", "first", "second")
    )
    turned = [small.tensor(f"turned_{name}", "float32", [1, 4, 2, 2]) for name in ("first", "second")]
    out = small.tensor("out", "float32", [1, 8, 2, 2])
    for before, after in zip((first, second), turned, strict=True):
        small.add("ABS", [image], [before])
        small.add("TRANSPOSE", [before, order], [after])
    small.add("CONCATENATION", turned, [out], axis=1)
    graph = read_graph(small.write(tmp_path / "joined.tflite", [image], [out]))
    names = ("first", "second", "turned_first", "turned_second", "out")
    ranges: Bounds = {name: (-float(place), 1.0) for place, name in enumerate(names)}
    assert set(joined(ranges, graph).values()) == {ranges["out"]}
