"""Measures activation ranges: runs the float TFLite file on images and watches every activation."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.tflite.graph import read_graph
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels
from model.runtime.interpreter import TfliteInterpreter
from quantize.calibrate.estimators import ESTIMATORS, Seen
from quantize.calibrate.histogram import Histogram
from quantize.calibrate.ranges import Ranges

_log = logging.getLogger(__name__)

SAME_SCALE = 1.2
"""Two halves of the images agree when their scales differ by no more than this factor."""


class RangeMeter:
    """Runs a float file's builtin kernels on images and watches every activation.

    Args:
        model: Float TFLite file whose input takes RGB in 0..255.
    """

    def __init__(self, model: Path) -> None:
        self._model = model
        self._running = TfliteInterpreter(model, all_tensors=True)
        self._watched = _activations(model)
        self._lows: list[list[float]] = []
        self._highs: list[list[float]] = []
        self._histograms = [Histogram() for _ in self._watched]

    def add(self, image: Pixels) -> None:
        """Watch one image, uint8 RGB [H, W, 3] of the file's size."""
        self._running.run(image)
        values = [self._running.stored(self._running.tensors[index]) for index in self._watched.values()]
        self._lows.append([float(value.min()) for value in values])
        self._highs.append([float(value.max()) for value in values])
        for histogram, value in zip(self._histograms, values, strict=True):
            histogram.add(value)

    def ranges(self) -> Ranges:
        """Of all images so far, by every estimator.

        Raises:
            InputError: there was none.
        """
        low, high = self._extremes()
        seen = map(Seen, low.T, high.T, self._histograms)
        estimators = dict(ESTIMATORS)
        return {
            name: {key: one.range_of(tensor) for key, one in estimators.items()}
            for name, tensor in zip(self._watched, seen, strict=True)
        }

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

    def warn_of_unstable(self) -> None:
        """Say which scales two disjoint halves of the images do not agree on."""
        unstable = self.unstable()
        if unstable:
            _log.warning(
                "%s: two halves of the calibration images give scales that differ by more than %.0f %% for "
                "%d tensors, worst %s; use more images, or an estimator that ignores single extremes",
                self._model.name,
                100 * (SAME_SCALE - 1),
                len(unstable),
                ", ".join(f"{name} ({ratio:.2f}x)" for name, ratio in list(unstable.items())[:3]),
            )

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


def _activations(path: Path) -> dict[str, int]:
    """Name -> index of every float tensor that is computed, and of the input."""
    graph = read_graph(path)
    return {graph.tensors[i].name: i for i in graph.activations if graph.tensors[i].type == "float32"}
