"""Activation ranges: measured on images with the float TFLite file, kept as JSON."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from convert.tflite.graph import read_graph
from model.foundation.artifact import read_json, sha256_of, write_json
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels
from quantize.calibrate.estimators import Histogram, entropy, mse, percentile
from quantize.recipe import Estimator


@dataclass(frozen=True)
class TensorRange:
    """Bounds of one activation tensor, by each estimator.

    Attributes:
        low, high: Extremes over all images.
        mean_low, mean_high: Means of each image's extremes.
        percentile, mse, entropy: (low, high) by these estimators; None where they were not measured.
    """

    low: float
    high: float
    mean_low: float
    mean_high: float
    percentile: tuple[float, float] | None = None
    mse: tuple[float, float] | None = None
    entropy: tuple[float, float] | None = None

    def bounds(self, estimator: Estimator) -> tuple[float, float]:
        """(low, high) by the recipe's estimator.

        Raises:
            InputError: the ranges were measured without it.
        """
        if estimator == "min_max":
            return self.low, self.high
        if estimator == "mean_min_max":
            return self.mean_low, self.mean_high
        kept: tuple[float, float] | None = getattr(self, estimator)
        if kept is None:
            raise InputError(
                f"the ranges hold no {estimator} bounds; measure them anew with 'python -m quantize ranges'"
            )
        return kept

    def to_json(self) -> list[float]:
        """Pairs of bounds in the order of the attributes, to the last bit of single precision."""
        pairs = [(self.low, self.high), (self.mean_low, self.mean_high)]
        pairs += [pair for pair in (self.percentile, self.mse, self.entropy) if pair is not None]
        return [float(f"{value:.9g}") for pair in pairs for value in pair]

    @classmethod
    def from_json(cls, values: list[float]) -> TensorRange:
        """The inverse of `to_json`; files of two pairs know the first two estimators only."""
        others = [(low, high) for low, high in zip(values[4::2], values[5::2], strict=True)]
        return cls(values[0], values[1], values[2], values[3], *others)


Ranges = dict[str, TensorRange]

SAME_SCALE = 1.2
"""Two halves of the images agree when their scales differ by no more than this factor."""


class RangeMeter:
    """Runs a float file's builtin kernels on images and watches every activation.

    Args:
        model: Float TFLite file whose input takes RGB in 0..255.
    """

    def __init__(self, model: Path) -> None:
        self._interpreter = _watching(model)
        self._interpreter.allocate_tensors()
        self._entry = self._interpreter.get_input_details()[0]["index"]
        self._watched = _activations(model)
        self._lows: list[list[float]] = []
        self._highs: list[list[float]] = []
        self._histograms = [Histogram() for _ in self._watched]

    def add(self, image: Pixels) -> None:
        """Watch one image, uint8 RGB [H, W, 3] of the file's size."""
        self._interpreter.set_tensor(self._entry, image[None].astype(np.float32))
        self._interpreter.invoke()
        values = [self._interpreter.get_tensor(index) for index in self._watched.values()]
        self._lows.append([float(value.min()) for value in values])
        self._highs.append([float(value.max()) for value in values])
        for histogram, value in zip(self._histograms, values, strict=True):
            histogram.add(value)

    def ranges(self) -> Ranges:
        """Of all images so far.

        Raises:
            InputError: there was none.
        """
        low, high = self._extremes()
        result = {}
        for row, (name, histogram) in enumerate(zip(self._watched, self._histograms, strict=True)):
            lows, highs = low[:, row], high[:, row]
            extremes = float(lows.min()), float(highs.max())
            others = (estimate(histogram, extremes) for estimate in (percentile, mse, entropy))
            result[name] = TensorRange(*extremes, float(lows.mean()), float(highs.mean()), *others)
        return result

    def unstable(self) -> dict[str, float]:
        """Tensors whose scale differs between the odd and the even images by more than SAME_SCALE.

        Returns:
            Name -> the larger scale over the smaller one, worst first; empty for a single image.
        """
        low, high = self._extremes()
        if len(low) < 2:
            return {}
        spans = [np.maximum(high[half::2].max(0), 0) - np.minimum(low[half::2].min(0), 0) for half in (0, 1)]
        smaller, larger = np.minimum(*spans), np.maximum(*spans)
        ratio = np.divide(larger, smaller, out=np.ones_like(larger), where=smaller > 0)
        ratio[(smaller == 0) & (larger > 0)] = np.inf
        worst = np.argsort(-ratio, kind="stable")
        names = list(self._watched)
        return {names[row]: float(ratio[row]) for row in worst if ratio[row] > SAME_SCALE}

    def _extremes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if not self._lows:
            raise InputError("no image to measure activation ranges on")
        return np.asarray(self._lows), np.asarray(self._highs)


def measure_ranges(model: Path, inputs: Iterable[Pixels]) -> Ranges:
    """Ranges of a float file's activations over images; see `RangeMeter`.

    Raises:
        InputError: there is no image.
    """
    meter = RangeMeter(model)
    for image in inputs:
        meter.add(image)
    return meter.ranges()


def _watching(model: Path) -> Interpreter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the runtime warns that keeping all tensors takes memory
        return Interpreter(
            str(model),
            num_threads=1,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )


def _activations(path: Path) -> dict[str, int]:
    """Name -> index of every float tensor that is computed, and of the input."""
    graph = read_graph(path)
    return {graph.tensors[i].name: i for i in graph.activations if graph.tensors[i].type == "float32"}


def write_ranges(path: Path, checkpoint: Path, sizes: dict[str, tuple[Ranges, dict[str, Any]]]) -> None:
    """Keep ranges measured at several input sizes, tied to the checkpoint they belong to.

    Args:
        path: JSON file to write.
        checkpoint: Its hash is recorded.
        sizes: "HEIGHTxWIDTH" -> ranges, and facts about the images they were measured on.
    """
    write_json(
        path,
        {
            "checkpoint_sha256": sha256_of(checkpoint),
            "sizes": {
                size: {
                    "images": facts,
                    "ranges": {name: measured.to_json() for name, measured in ranges.items()},
                }
                for size, (ranges, facts) in sizes.items()
            },
        },
    )


def read_ranges(path: Path, checkpoint_sha256: str, height: int, width: int) -> tuple[Ranges, str]:
    """Read the ranges for a checkpoint at an input size, or at the nearest size that was measured.

    Returns:
        The ranges and the size they were measured at, "HEIGHTxWIDTH".

    Raises:
        InputError: unreadable, or measured for another checkpoint.
    """
    value = read_json(path)
    if value.get("checkpoint_sha256") != checkpoint_sha256:
        raise InputError(
            f"{path} was measured for another checkpoint; measure again with 'python -m quantize ranges', "
            "or calibrate on images"
        )
    sizes: dict[str, Any] = value["sizes"]

    def distance(size: str) -> float:
        other_height, other_width = (int(side) for side in size.split("x"))
        return abs(float(np.log(height * width / (other_height * other_width))))

    nearest = min(sizes, key=distance)
    return {name: TensorRange.from_json(entry) for name, entry in sizes[nearest]["ranges"].items()}, nearest
