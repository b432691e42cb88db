"""Single layers, counted on emulated cores: the table that costs rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.devices.kinds.adb import LITERT_RUNNER
from benchmark.devices.kinds.arm64 import Arm64Machine
from benchmark.devices.machine import CountingMachine
from benchmark.emulation.layer_chains import CHAINS
from benchmark.emulation.layer_files import write_layer_file
from convert.tflite.graph import read_graph
from model.foundation.command_line.progress import step
from model.foundation.records import write_record
from quantize.cost.model import BY_CORE, CORES, CountedLayer, CountedLayers
from quantize.cost.work import Work, works_of


def write_table(output: Path) -> None:
    """Count single layers on each emulated core, and write their table (JSON).

    Raises:
        DeviceError: the emulated machine fails.
    """
    table: dict[Work, dict[str, int]] = {}
    with TemporaryDirectory() as folder:
        files = list(write_chains(Path(folder)))
        for core in CORES:
            # Kernels that are the same everywhere are counted on one core.
            chosen = files if core == CORES[0] else [file for file in files if _differs_by_core(file)]
            for work, count in _counted_on(core, chosen):
                table.setdefault(work, {}).setdefault(core, count)
    layers = tuple(CountedLayer(work, counts) for work, counts in table.items())
    write_record(output, CountedLayers(LITERT_RUNNER.runtime, layers))


def _counted_on(core: str, files: Sequence[Path]) -> Iterator[tuple[Work, int]]:
    with ExitStack() as stack:
        machine = Arm64Machine(f"cortex-{core}", True, stack)
        for file in files:
            with step(f"{file.stem} on {core}"):
                yield from counted(machine, file)


def _differs_by_core(file: Path) -> bool:
    return any(work.kernel in BY_CORE for _, work in works_of(read_graph(file)))


def write_chains(folder: Path) -> Iterator[Path]:
    """Each chain as a file for each of its types."""
    for name, chain in CHAINS.items():
        for kind in chain.types:
            file = folder / f"{name}_{kind}.tflite"
            write_layer_file(file, chain.shape, chain.steps, kind)
            yield file


def counted(machine: CountingMachine, file: Path) -> list[tuple[Work, int]]:
    """A file's layers with their instructions, by their shares in a profile.

    Raises:
        RuntimeError: the runtime ran other operators than the file has; their costs cannot be told apart.
    """
    works = [work for _, work in works_of(read_graph(file))]
    whole, shares = machine.instructions(file).count, machine.operators(file)
    if len(shares) != len(works):
        raise RuntimeError(f"{file.name} has {len(works)} layers, the runtime ran {len(shares)}")
    return [(work, round(whole * one.share)) for work, one in zip(works, shares, strict=True)]
