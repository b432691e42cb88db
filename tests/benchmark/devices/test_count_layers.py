"""The table of counted layers: its files, and whether its sums are what the harness counts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmark.devices.count_layers import counted, write_chains
from benchmark.devices.kinds.arm64 import Arm64Machine
from benchmark.devices.machine import CountingMachine, Instructions
from benchmark.emulation.layer_files import Step, write_layer_file
from benchmark.runner.output import OperatorShare
from convert.tflite.graph import read_graph
from model.foundation.records import read_record
from quantize.cost.model import CORES, TABLE, CountedLayers, cost_model
from quantize.cost.work import works_of

BUILT = Path(__file__).parents[3] / "build"


class Recorded:
    """A machine that counted two operators."""

    def instructions(self, model: Path) -> Instructions:
        assert model.is_file()
        return Instructions(1_000_000, 5, 0.0, "icount")

    def operators(self, model: Path) -> tuple[OperatorShare, ...]:
        assert model.is_file()
        return OperatorShare("a", "", 0.75), OperatorShare("b", "", 0.25)


def test_each_layer_gets_its_share_of_the_whole(tmp_path: Path) -> None:
    file = tmp_path / "two.tflite"
    write_layer_file(file, (1, 4, 4, 8), [Step("ADD"), Step("CONV_2D", 16)], "int8")
    found = counted(Recorded(), file)  # type: ignore[arg-type]
    assert [(work.kernel, count) for work, count in found] == [("add", 750_000), ("gemm", 250_000)]
    write_layer_file(file, (1, 4, 4, 8), [Step("ADD")], "int8")
    with pytest.raises(RuntimeError, match="has 1 layers, the runtime ran 2"):
        counted(Recorded(), file)  # type: ignore[arg-type]


def test_the_table_that_ships_holds_every_layer_of_the_chains(tmp_path: Path) -> None:
    known = {one.work for one in read_record(TABLE, CountedLayers).layers}
    for file in write_chains(tmp_path):
        assert {work for _, work in works_of(read_graph(file))} <= known, file.stem


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.parametrize("core", CORES)
def test_whole_files_cost_what_the_harness_counts(core: str) -> None:
    """What `make tflite` left in build/, of any network, within 1 %; dynamic kernels were not counted.

    Each core counts every other file: float16 files run the kernels of float32, int8_fp16 those of int8, too.
    """
    files = sorted(set(BUILT.glob("*_320x320_*.tflite")) - set(BUILT.glob("*_dynamic.tflite")))
    if not files:
        pytest.skip("nothing in build/: make tflite")
    with ExitStack() as stack:
        machine: CountingMachine = Arm64Machine(f"cortex-{core}", True, stack)
        for file in files[CORES.index(core) % 2 :: 2] or files:
            told = cost_model(core).file(read_graph(file))
            assert told == pytest.approx(machine.instructions(file).count, rel=0.01), file.name
