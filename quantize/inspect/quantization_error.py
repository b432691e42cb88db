"""How far two TFLite files are from one another, tensor by tensor, on the same images."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from convert.tflite.graph import read_graph
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels

Floats = NDArray[np.float32]
BINS = 60
EXACT_DB = 150.0
"""Stands for equal values; float32 itself ends near 140 dB."""


@dataclass(frozen=True)
class LayerNoise:
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


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two files, layer by layer.

    Attributes:
        layers: In A's order of execution.
        histograms: Layer -> its values in both.
        only: Layers that one of the files has and the other has not, A's and B's.
        images: How many.
    """

    layers: tuple[LayerNoise, ...]
    histograms: dict[str, Histogram]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    images: int

    @property
    def worst_first(self) -> list[LayerNoise]:
        """By SQNR."""
        return sorted(self.layers, key=lambda one: one.sqnr_db)

    def parting(self, below_db: float) -> LayerNoise | None:
        """The first layer in A's order whose SQNR is below a limit."""
        return next((one for one in self.layers if one.sqnr_db < below_db), None)


class Watched:
    """A TFLite file whose tensors can all be read after a run, as float32 with their scales applied.

    Raises:
        InputError: the runtime refuses the file, or it does not take one image.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InputError(f"no such TFLite file: {path}")
        try:  # before anything reads it: the runtime verifies the file, so that a damaged one ends here
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the runtime warns that keeping all tensors takes memory
                self._interpreter = Interpreter(
                    str(path),
                    num_threads=1,
                    experimental_preserve_all_tensors=True,
                    experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{path}: the runtime refuses it ({error})") from None
        self.graph = read_graph(path)
        entries = self._interpreter.get_input_details()
        shape = list(entries[0]["shape"])
        if len(entries) != 1 or len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
            raise InputError(
                f"{path}: expected one input [1, H, W, 3], found {shape} and {len(entries) - 1} more"
            )
        self._entry = entries[0]
        self.height, self.width = int(shape[1]), int(shape[2])
        self.tensors = {
            self.graph.tensors[tensor].name: (operator.index, tensor)
            for operator in self.graph.operators
            for tensor in operator.outputs
            if tensor in self.graph.computed
            and (self.scale(tensor) or self.graph.tensors[tensor].type == "float32")
        }

    def scale(self, tensor: int) -> tuple[float, int] | None:
        """An integer tensor's scale and zero point."""
        stored = self.graph.tensors[tensor]
        return None if stored.type == "float32" else stored.scale

    def run(self, pixels: Pixels) -> None:
        """Run on one image, uint8 RGB [H, W, 3]."""
        scale, zero = self._entry["quantization"]
        value: NDArray[Any] = pixels[None]
        if scale and self._entry["dtype"] != np.float32:
            limits = np.iinfo(self._entry["dtype"])
            value = np.clip(np.round(value / np.float32(scale)) + zero, limits.min, limits.max)
        self._interpreter.set_tensor(self._entry["index"], value.astype(self._entry["dtype"]))
        self._interpreter.invoke()

    def value(self, tensor: int) -> Floats:
        """A tensor of the last run."""
        stored = self._interpreter.get_tensor(tensor)
        scale = self.scale(tensor)
        if scale is None:
            return np.asarray(stored, np.float32)
        return np.asarray(
            (stored.astype(np.float32) - np.float32(scale[1])) * np.float32(scale[0]), np.float32
        )

    def limits(self, tensor: int) -> tuple[float, float] | None:
        """What an integer tensor can express at most; None for a float."""
        scale = self.scale(tensor)
        if scale is None:
            return None
        levels = np.iinfo(self.graph.tensors[tensor].dtype)
        return (levels.min - scale[1]) * scale[0], (levels.max - scale[1]) * scale[0]


def compare_layers(first: Watched, second: Watched, images: Iterable[Pixels]) -> Comparison:
    """Run both files on every image and compare each tensor that both have by name.

    Raises:
        InputError: they have no tensor in common, or a common one differs in shape; or there is no image.
    """
    common = [name for name in first.tensors if name in second.tensors]
    if not common:
        raise InputError(
            f"{first.path.name} and {second.path.name} have no layer name in common: expected two files of "
            "one network, as 'python -m convert' and 'python -m quantize apply' name them"
        )
    sums = {name: _Sums(first, second, name) for name in common}
    count = 0
    for image in images:
        first.run(image)
        second.run(image)
        for one in sums.values():
            one.add()
        count += 1
    if not count:
        raise InputError("no image to compare the files on")
    decibels = {name: one.decibel() for name, one in sums.items()}
    layers = [_noise(first, name, sums[name], decibels) for name in common]
    layers.sort(key=lambda one: one.order)
    only = (
        tuple(name for name in first.tensors if name not in sums),
        tuple(name for name in second.tensors if name not in sums),
    )
    return Comparison(tuple(layers), {name: one.histogram() for name, one in sums.items()}, only, count)


class _Sums:
    """What is added up of one tensor."""

    def __init__(self, first: Watched, second: Watched, name: str) -> None:
        self._files = first, second
        self._tensors = first.tensors[name][1], second.tensors[name][1]
        self._name = name
        self._limits = second.limits(self._tensors[1])
        self._edges: NDArray[np.float64] | None = None
        self._counts = np.zeros((2, BINS), np.int64)
        self._signal = self._noise = self.max_error = 0.0
        self._outside = self._values = 0

    def add(self) -> None:
        a, b = (file.value(tensor) for file, tensor in zip(self._files, self._tensors, strict=True))
        if a.size != b.size:
            raise InputError(
                f"{self._name} has shape {list(a.shape)} in one file and {list(b.shape)} in the other"
            )
        a, b = a.reshape(-1), b.reshape(-1)
        difference = a.astype(np.float64) - b
        self._signal += float(np.square(a, dtype=np.float64).sum())
        self._noise += float(np.square(difference).sum())
        self.max_error = max(self.max_error, float(np.abs(difference).max(initial=0)))
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

    def decibel(self) -> float:
        if not self._noise:
            return EXACT_DB
        if not self._signal:
            return -EXACT_DB
        return float(np.clip(10 * np.log10(self._signal / self._noise), -EXACT_DB, EXACT_DB))

    def histogram(self) -> Histogram:
        assert self._edges is not None  # an image was added
        return Histogram(float(self._edges[0]), float(self._edges[-1]), self._counts[0], self._counts[1])


def _noise(first: Watched, name: str, sums: _Sums, decibels: dict[str, float]) -> LayerNoise:
    order = first.tensors[name][0]
    read = _sources(first, order, decibels)
    added = decibels[name] - min(read, default=decibels[name])
    return LayerNoise(
        name, decibels[name], added, sums.max_error, sums.outside, first.graph.operators[order].kind, order
    )


def _sources(file: Watched, operator: int, decibels: dict[str, float]) -> Sequence[float]:
    """SQNR of the tensors that an operator reads; what is in one file only is looked through."""
    found = []
    for tensor in file.graph.operators[operator].reads:
        name, maker = file.graph.tensors[tensor].name, file.graph.makers.get(tensor)
        if name in decibels:
            found.append(decibels[name])
        elif maker is not None and tensor in file.graph.computed:
            found += _sources(file, maker.index, decibels)
    return found
