"""Before and after: whether a step of quantization helps the INT8 file, measured on labelled images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration_data.readers import LabelledImage
from model.foundation.command_line.terminal import console
from model.foundation.errors import GateError
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector
from quantize.calibrate.bounds import prepared
from quantize.calibrate.meter import measure_ranges
from quantize.tune.sensitivity import OUTPUTS, all_int8, ratio
from quantize.tune.tables import heights
from quantize.tune.trials import Bench, Trial

NOISE = 0.5
"""AP points by which a step may seem to harm, on a few hundred images, if it gains decibels."""


@dataclass(frozen=True)
class Proof:
    """The float file and the INT8 file without and with a step, on the same images.

    Attributes:
        float_file: Reference; the step does not change it.
        before, after: INT8.
    """

    float_file: Trial
    before: Trial
    after: Trial

    @property
    def gained_db(self) -> float:
        """Mean gain of the three outputs' SQNR."""
        return sum(ratio(self.after, name) - ratio(self.before, name) for name in OUTPUTS) / len(OUTPUTS)

    def helps(self) -> bool:
        """Whether the step gains decibels and costs no AP, or gains AP beyond the noise."""
        points = self.after.ap50 - self.before.ap50
        return points > NOISE or (self.gained_db > 0 and points >= -NOISE)

    def to_json(self) -> dict[str, Any]:
        """The three trials as JSON values."""
        return {
            "helps": self.helps(),
            "gained_db": round(self.gained_db, 2),
            "float": vars(self.float_file),
            "before": vars(self.before),
            "after": vars(self.after),
        }

    def require(self, step: str) -> None:
        """Print both and stop unless the step helps.

        Raises:
            GateError: it does not.
        """
        screen = console()
        screen.print(
            heights({"float": self.float_file, "INT8 before": self.before, "INT8 after": self.after})
        )
        for name in OUTPUTS:
            screen.print(f"{name}: {ratio(self.before, name):.1f} -> {ratio(self.after, name):.1f} dB")
        if not self.helps():
            raise GateError(
                f"{step} does not help: AP50 {self.before.ap50:.2f} -> {self.after.ap50:.2f}, "
                f"{self.gained_db:+.2f} dB; leave it out"
            )


def int8_of(
    network: Detector,
    spec: DetectorSpec,
    checkpoint: Path,
    calibration: Sequence[Pixels],
    images: Sequence[LabelledImage],
    estimator: str = "min_max",
) -> tuple[Trial, Trial]:
    """Convert a network, quantize all of it, and try both files: (float, INT8).

    Args:
        network: In evaluation mode.
        spec: Input size.
        checkpoint: What the network was read from.
        calibration: uint8 RGB [H, W, 3] of the spec's size, for the ranges.
        images: Labelled images.
        estimator: Of the ranges.
    """
    from convert.conversion import convert_to
    from convert.doors import Opened

    with tempfile.TemporaryDirectory() as folder:
        onnx, file = Path(folder) / "network.onnx", Path(folder) / "network_float32.tflite"
        convert_to(Opened(network, spec, checkpoint), calibration[:4], onnx, file)
        bounds = prepared(measure_ranges(file, calibration), estimator, file)
        bench = Bench(file, bounds, images, None)
        return bench.float_file(), bench.try_recipe(all_int8(estimator))
