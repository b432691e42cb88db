"""Instructions of a layer and of a file on a core, fitted to layers that were counted there."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from math import ceil

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.tflite.graph import Graph
from model.foundation.errors import InputError
from model.foundation.records import read_record
from quantize.cost import TABLE
from quantize.cost.work import Work, works_of

TILES = {
    ("a53", "int8"): (4, 16, 1), ("a53", "float32"): (6, 8, 1),
    ("a55", "int8"): (4, 16, 4), ("a55", "float32"): (6, 8, 1),
    ("a72", "int8"): (2, 8, 8), ("a72", "float32"): (4, 8, 1),
    ("a76", "int8"): (4, 16, 4), ("a76", "float32"): (6, 8, 1),
}  # fmt: skip
"""(Pixels, output channels, input channels) of the tile that XNNPACK's product kernel computes at once.

Source: src/configs/gemm-config.c; checked against the counts: a part of a tile costs a whole one.
"""
NARROW = (4, 2, 1)
"""The float kernel for output channels that fill no tile of 8. Source: create_convolution2d_nhwc_f32."""
BY_CORE = ("gemm", "igemm", "dwconv")
"""Kernels that differ from core to core; all others are the same code, counted on one of them."""
CORES = ("a53", "a55", "a72", "a76")
RESOLUTION = 1000.0
"""The profile that layers are counted by tells microseconds of a clock that ticks once an instruction."""


class CountedLayer(msgspec.Struct, frozen=True):
    """A layer and its instructions by core."""

    work: Work
    instructions: dict[str, int]


class CountedLayers(msgspec.Struct, frozen=True):
    """The table: what was counted, with which runtime."""

    runtime: str
    layers: tuple[CountedLayer, ...]


class CostModel:
    """What work costs on one core.

    Args:
        core: One of CORES.
        table: Layers that were counted on it.
    """

    def __init__(self, core: str, table: CountedLayers) -> None:
        self.core = core
        groups: dict[tuple[str, str], list[tuple[Work, int]]] = {}
        for one in table.layers:
            count = one.instructions.get(core)
            if count is None and one.work.kernel not in BY_CORE:
                count = next(iter(one.instructions.values()))
            if count is not None:
                groups.setdefault(self._kernel(one.work), []).append((one.work, count))
        self._weights = {kernel: self._fitted(rows) for kernel, rows in groups.items()}

    def layer(self, work: Work) -> float:
        """Instructions of one layer.

        Raises:
            InputError: no layer of its kernel was counted.
        """
        weights = self._weights.get(self._kernel(work))
        if weights is None:
            raise InputError(
                f"no layer of the kernel {work.kernel!r} in {work.type} was counted on {self.core}: add one "
                "to the chains of benchmark/emulation/layer_chains.py and run `featherface count-layers`"
            )
        return float(self._terms(work) @ weights)

    def layers(self, graph: Graph) -> dict[int, float]:
        """Index of an operator -> its instructions; operators that cost nothing are left out."""
        return {operator.index: self.layer(work) for operator, work in works_of(graph)}

    def file(self, graph: Graph) -> float:
        """Instructions of one inference on one thread."""
        return sum(self.layers(graph).values())

    def _tile(self, work: Work) -> tuple[int, int, int]:
        """For float channels that fill no tile a "gemm" takes pairs, an "igemm" only where they are few."""
        pairs = work.channels < 8 or (work.kernel == "gemm" and work.channels % 8 and work.channels % 2 == 0)
        return NARROW if work.type == "float32" and pairs else TILES.get((self.core, work.type), NARROW)

    def _kernel(self, work: Work) -> tuple[str, str]:
        """What is fitted by itself: a kernel, with the tile or the number of taps that it is compiled for."""
        if work.kernel in ("gemm", "igemm"):
            return f"{work.kernel} {self._tile(work)}", work.type
        if work.kernel == "dwconv":
            return f"dwconv {next((most for most in (4, 9, 25) if work.taps <= most), 'of more')}", work.type
        return work.kernel, work.type

    def _terms(self, work: Work) -> NDArray[np.float64]:
        """What the cost is linear in; no coefficient is negative."""
        if work.kernel in ("gemm", "igemm"):
            rows, columns, depth = map(_tiles, (work.pixels, work.channels, work.depth), self._tile(work))
            tiles = rows * columns
            parts = [work.taps * tiles * part for part in _steps(depth * self._tile(work)[2])]
            return np.array([1, rows, tiles, tiles * work.taps, *parts], float)
        if work.kernel == "dwconv":
            both = int(work.channels > 16 and work.channels % 16 > 0)  # a loop each
            return work.pixels * np.array([1 / work.pixels, 1, both, *_steps(work.channels)])
        if work.kernel.endswith("by channel"):
            return work.pixels * np.array([1 / work.pixels, 1, *_steps(work.channels)])
        elements = work.pixels * work.channels
        return np.array([1, work.pixels, elements, elements * work.taps, work.pixels * work.taps], float)

    def _fitted(self, rows: list[tuple[Work, int]]) -> NDArray[np.float64]:
        """Least squares of relative errors without negative coefficients."""
        from scipy.optimize import nnls

        counts = np.array([count for _, count in rows], float)
        weights = 1 / np.hypot(0.003 * counts, RESOLUTION / 2)
        terms = np.array([self._terms(work) for work, _ in rows])
        return np.asarray(nnls(terms * weights[:, None], counts * weights, maxiter=1000)[0])


def _tiles(length: int, tile: int) -> int:
    return ceil(length / tile)


def _steps(length: int) -> tuple[int, int, int, int, int]:
    """How kernels walk a length: in steps of 16, of 8, of 4, and what is left."""
    return length // 16, length % 16 // 8, length % 8 // 4, int(length % 4 > 0), length % 4


def million_instructions(graph: Graph) -> dict[str, float]:
    """Core -> millions of instructions of one inference; no core where a layer's kernel was not counted."""
    found = {}
    for core in CORES:
        with suppress(InputError):
            found[core] = round(cost_model(core).file(graph) / 1e6, 3)
    return found


@cache
def cost_model(core: str) -> CostModel:
    """The model of a core, from the table that ships.

    Raises:
        InputError: the core was not counted.
    """
    if core not in CORES:
        raise InputError(f"expected a core out of {', '.join(CORES)}, found {core}")
    return CostModel(core, read_record(TABLE, CountedLayers))
