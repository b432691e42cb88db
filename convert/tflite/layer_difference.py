"""How far two TFLite files are from one another, tensor by tensor, on the same images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.difference import TensorDifference, TensorSums
from convert.tflite.graph import Operator, read_graph
from model.foundation.artifact import sha256_of, tool_versions
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels
from model.runtime.interpreter import TfliteInterpreter

Floats = NDArray[np.float32]
BINS = 60
EXACT_DB = 150.0
"""Stands for equal values; float32 itself ends near 140 dB."""


@dataclass(frozen=True)
class LayerDifference:
    """One layer's tensor in file B against the same in file A, over all images.

    Attributes:
        layer: Name of the tensor in both files.
        sqnr_db: 10 log10(sum a^2 / sum (a - b)^2), at most EXACT_DB.
        added_db: sqnr_db less that of the worst tensor that the layer reads: below zero it adds noise,
            near zero it hands on what it got. 0 where nothing that it reads is in both files.
        max_error: Largest absolute difference.
        outside: Share of A's values that lie outside what B's integers can express; 0 for floats.
        kind: Operator that makes it in A.
        order: Place of that operator in A.
    """

    layer: str
    sqnr_db: float
    added_db: float
    max_error: float
    outside: float
    kind: str
    order: int


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of values of a layer in both files, BINS bins over [low, high]; what lies outside is in the
    outermost."""

    low: float
    high: float
    first: NDArray[np.int64]
    second: NDArray[np.int64]


@dataclass(frozen=True)
class ComparedFile:
    """One of the two files: its name and hash."""

    file: str
    sha256: str


@dataclass(frozen=True)
class LayerComparison:
    """Two files, layer by layer; as JSON the report takes it for a table.

    Attributes:
        title: Of the table.
        first, second: A, the reference, and B.
        images: How many they were run on.
        limit_db: The files part where a layer's SQNR falls below this.
        parting: The first such layer in A's order of execution; None if there is none.
        only_in_first, only_in_second: Layers that the other file lacks.
        layers: The others, lowest SQNR first.
        tools: Versions.
    """

    title: str
    first: ComparedFile
    second: ComparedFile
    images: int
    limit_db: float
    parting: str | None
    only_in_first: tuple[str, ...]
    only_in_second: tuple[str, ...]
    layers: tuple[LayerDifference, ...]
    tools: dict[str, str]
    format: str = "featherface-layer-sqnr"
    version: int = 1

    @property
    def in_order(self) -> list[LayerDifference]:
        """The layers in A's order of execution."""
        return sorted(self.layers, key=lambda one: one.order)


class Watched:
    """A TFLite file all of whose computed tensors that are float or have a scale can be compared.

    Attributes:
        graph: The file's.
        run: Answers it on one image, uint8 RGB [H, W, 3].
        height, width: Of its input in pixels.
        tensors: Name -> index of each such tensor.

    Raises:
        InputError: the runtime refuses the file, or it does not take one image.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._interpreter = TfliteInterpreter(path, all_tensors=True)
        self.graph = read_graph(path)
        shape, more = self._interpreter.inputs[0].shape, len(self._interpreter.inputs) - 1
        if more or len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
            raise InputError(f"{path}: expected one input [1, H, W, 3], found {list(shape)} and {more} more")
        self.height, self.width = shape[1:3]
        self.run = self._interpreter.run
        self._known = {one.index: one for one in self._interpreter.tensors}
        self.tensors = {
            self.graph.tensors[index].name: index
            for operator in self.graph.operators
            for index in operator.outputs
            if index in self.graph.computed
            and (self.graph.tensors[index].type == "float32" or self.graph.tensors[index].scales is not None)
        }

    def value(self, name: str) -> Floats:
        """A tensor of the last run, float32 with its scale applied, in its own shape."""
        return self._interpreter.value(self._known[self.tensors[name]])

    def size(self, name: str) -> int:
        """How many values a tensor has."""
        return math.prod(self.graph.tensors[self.tensors[name]].shape)

    def limits(self, name: str) -> tuple[float, float] | None:
        """What an integer tensor can express at most; None for a float."""
        tensor = self.graph.tensors[self.tensors[name]]
        if tensor.type == "float32" or tensor.scale is None:
            return None
        scale, zero_point = tensor.scale
        levels = np.iinfo(tensor.dtype)
        return (levels.min - zero_point) * scale, (levels.max - zero_point) * scale


def compare_layers(
    first: Watched, second: Watched, images: Iterable[Pixels], limit_db: float
) -> tuple[LayerComparison, dict[str, Histogram]]:
    """Run both files on every image and compare each tensor that both have by name and in one size.

    A head that `quantize` changed, two channels into one, has its name in both and stands in one alone.

    Args:
        first, second: A, the reference, and B.
        images: uint8 RGB [H, W, 3] of their input size.
        limit_db: The files part where a layer's SQNR falls below this.

    Returns:
        The comparison, and each layer's values in both files.

    Raises:
        InputError: they have no tensor in common, or there is no image.
    """
    names = first.path.name, second.path.name
    sums = {
        name: _Sums(first, second, name)
        for name in first.tensors
        if name in second.tensors and first.size(name) == second.size(name)
    }
    if not sums:
        raise InputError(
            f"{names[0]} and {names[1]} have no layer name in common: expected two files of "
            "one network, as 'python -m convert' and 'python -m quantize apply' name them"
        )
    count = 0
    for image in images:
        first.run(image)
        second.run(image)
        for one in sums.values():
            one.add()
        count += 1
    if not count:
        raise InputError("no image to compare the files on")
    differences = {name: one.sums.result() for name, one in sums.items()}
    layers = [_layer(first, name, sums[name].outside, differences) for name in sums]
    layers.sort(key=lambda one: one.order)
    compared = LayerComparison(
        title=f"SQNR of {names[1]} against {names[0]}, dB, {count} images",
        first=ComparedFile(names[0], sha256_of(first.path)),
        second=ComparedFile(names[1], sha256_of(second.path)),
        images=count,
        limit_db=limit_db,
        parting=next((one.layer for one in layers if one.sqnr_db < limit_db), None),
        only_in_first=tuple(name for name in first.tensors if name not in sums),
        only_in_second=tuple(name for name in second.tensors if name not in sums),
        layers=tuple(sorted(layers, key=lambda one: one.sqnr_db)),
        tools=tool_versions("ai-edge-litert", "numpy"),
    )
    return compared, {name: one.histogram() for name, one in sums.items()}


class _Sums:
    """What is added up of one tensor: its difference, what B cannot express, and the counts of values."""

    def __init__(self, first: Watched, second: Watched, name: str) -> None:
        self._files, self._name = (first, second), name
        self._limits = second.limits(name)
        self._edges: NDArray[np.float64] | None = None
        self._counts = np.zeros((2, BINS), np.int64)
        self._outside = self._values = 0
        self.sums = TensorSums()

    def add(self) -> None:
        a, b = (file.value(self._name).reshape(-1) for file in self._files)
        self.sums.add(a, b)
        self._values += a.size
        if self._limits is not None:
            low, high = self._limits
            half = (high - low) / 510
            self._outside += int(((a < low - half) | (a > high + half)).sum())
        if self._edges is None:
            low, high = float(min(a.min(), b.min())), float(max(a.max(), b.max()))
            self._edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        for row, values in enumerate((a, b)):
            clipped = np.clip(values, self._edges[0], self._edges[-1])
            self._counts[row] += np.histogram(clipped, self._edges)[0]

    @property
    def outside(self) -> float:
        return self._outside / self._values

    def histogram(self) -> Histogram:
        assert self._edges is not None  # an image was added
        return Histogram(float(self._edges[0]), float(self._edges[-1]), self._counts[0], self._counts[1])


def _layer(
    file: Watched, name: str, outside: float, differences: Mapping[str, TensorDifference]
) -> LayerDifference:
    maker, mine = file.graph.makers[file.tensors[name]], _decibel(differences[name])
    read = _sources(file, maker, differences)
    added = mine - min(read, default=mine)
    error = differences[name].max_error
    return LayerDifference(name, mine, added, error, outside, maker.kind, maker.index)


def _decibel(found: TensorDifference) -> float:
    """SQNR within +-EXACT_DB, so that layers can be ranked and drawn."""
    ratio = EXACT_DB if found.sqnr_db is None else found.sqnr_db
    return max(-EXACT_DB, min(ratio, EXACT_DB))


def _sources(file: Watched, operator: Operator, differences: Mapping[str, TensorDifference]) -> list[float]:
    """SQNR of the tensors that an operator reads; what is in one file only is looked through.

    A tensor that is zero everywhere in A has no ratio to compare with, however small its noise is.
    """
    found = []
    for index in operator.reads:
        name, maker = file.graph.tensors[index].name, file.graph.makers.get(index)
        if name in differences:
            if differences[name].largest:
                found.append(_decibel(differences[name]))
        elif maker is not None and index in file.graph.computed:
            found += _sources(file, maker, differences)
    return found
