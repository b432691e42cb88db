"""What a layer costs, from the table that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.emulation.layer_files import Step, write_layer_file
from convert.tflite.graph import read_graph
from model.foundation.errors import InputError
from model.foundation.records import read_record
from quantize.cost.model import BY_CORE, CORES, TABLE, CountedLayers, cost_model, million_instructions
from quantize.cost.work import Work, works_of


@pytest.mark.parametrize("core", CORES)
def test_the_layers_that_were_counted_cost_what_they_cost(core: str) -> None:
    model, rows = cost_model(core), read_record(TABLE, CountedLayers).layers
    counted = [(one.work, one.instructions[core]) for one in rows if core in one.instructions]
    assert {work.kernel for work, _ in counted} >= set(BY_CORE)
    errors = [abs(model.layer(work) / count - 1) for work, count in counted if count > 50_000]
    assert sum(errors) / len(errors) < 0.007
    told = sum(model.layer(work) for work, _ in counted)
    assert told == pytest.approx(sum(count for _, count in counted), rel=3e-3)


def test_a_part_of_a_tile_costs_a_whole_one() -> None:
    def cost(core: str, channels: int, kind: str = "int8", depth: int = 64) -> float:
        return cost_model(core).layer(Work("gemm", kind, 400, depth, channels))

    assert cost("a53", 8) == cost("a53", 16)
    assert cost("a53", 20) == cost("a53", 32)
    assert cost("a72", 12) == cost("a72", 16)
    assert cost("a76", 16, depth=9) == cost("a76", 16, depth=12)
    assert cost("a76", 12, "float32") > cost("a76", 16, "float32")  # six pairs against two tiles of eight


def test_a_file_is_the_sum_of_its_layers(tmp_path: Path) -> None:
    steps = [Step("PAD"), Step("CONV_2D", 16, 1), Step("ADD", 1), Step("RESHAPE", 4)]
    file = tmp_path / "steps.tflite"
    write_layer_file(file, (1, 20, 20, 8), steps, "int8")
    graph = read_graph(file)
    assert [(one.kernel, one.pixels, one.depth, one.channels) for _, one in works_of(graph)] == [
        ("pad", 441, 0, 8),
        ("gemm", 441, 8, 16),
        ("add by channel", 441, 0, 16),
        ("reshape", 1, 0, 7056),
    ]
    model = cost_model("a53")
    assert model.file(graph) == pytest.approx(sum(model.layer(work) for _, work in works_of(graph)))
    assert million_instructions(graph) == {
        core: pytest.approx(cost_model(core).file(graph) / 1e6, abs=1e-3) for core in CORES
    }


def test_what_was_not_counted_is_not_guessed() -> None:
    with pytest.raises(InputError, match="kernel 'erf' in int8 was counted on a53"):
        cost_model("a53").layer(Work("erf", "int8", 1, 0, 100))
    with pytest.raises(InputError, match="expected a core out of a53, a55, a72, a76"):
        cost_model("m1")
