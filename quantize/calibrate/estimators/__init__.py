"""How an activation's range follows from the images: a file each, whose ESTIMATOR recipes name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.foundation.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quantize.calibrate.histogram import Histogram

Range = tuple[float, float]
"""(low, high) of an activation, whose 256 levels shall span it."""
LEVELS = 256


@dataclass(frozen=True, eq=False)
class Seen:
    """What is kept of one activation.

    Attributes:
        lows, highs: Extremes of each image, float64 [images].
        histogram: Of the values of all images.
    """

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    histogram: Histogram

    @property
    def extremes(self) -> Range:
        """Of all images."""
        return float(self.lows.min()), float(self.highs.max())

    def clipped(self, low: float, high: float) -> Range:
        """A range that does not reach beyond what was seen."""
        least, most = self.extremes
        return max(low, least), min(high, most)


@dataclass(frozen=True)
class Estimator:
    """A way from what was seen to a range.

    Attributes:
        range_of: Gives the range of one activation.
        nncf: How ONNX files get the like from NNCF: a name of its RangeEstimatorParametersSet, or "QUANTILE"
            for all but a share of values; None where it has nothing of the kind.
    """

    range_of: Callable[[Seen], Range]
    nncf: str | None = None


ESTIMATORS: Registry[Estimator] = Registry(__name__, "ESTIMATOR", "estimator")
