"""What recipes are tried on: a float file, its activation bounds, labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.errors import InputError

if TYPE_CHECKING:
    from calibration_data.image_set import Half
    from calibration_data.readers import LabelledImage
    from model.geometry.spec import DetectorSpec
    from quantize.calibrate.images import CalibrationImages
    from quantize.calibrate.ranges import Ranges
    from quantize.tune.recipe_layers import Layer
    from quantize.tune.trials import Bench

Folders = Annotated[list[Path], Parameter(consume_multiple=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Subject:
    """A float file with its spec, the layers that can be quantized, and its activation ranges.

    The fields are flags of the command line.

    Attributes:
        model: Float32 TFLite file.
        data: Folders with label.txt and images/; never those that final figures are reported on.
        ranges: Activation ranges (JSON) of its checkpoint; or give --calibration.
        calibration: Manifests of images to measure them on.
        estimator: Of the ranges: a file of quantize/calibrate/estimators.
        limit, seed: Images of each folder's half, and the seed that draws them.
        spec: Detector spec (JSON), for a file that carries none.
        checkpoint: What the file was made from, if no record stands beside it.
    """

    model: flags.Model
    data: Folders
    ranges: Path | None = None
    calibration: flags.Calibration = field(default_factory=list)
    estimator: str = "min_max"
    limit: Annotated[
        flags.Limit, Parameter(help="only so many images of each folder's half, drawn at random with --seed")
    ] = 100
    seed: flags.Seed = 0
    spec: Path | None = None
    checkpoint: Annotated[
        flags.Checkpoint | None, Parameter(help="what --model was made from, if no record stands beside it")
    ] = None

    def __post_init__(self) -> None:
        from quantize.calibrate.estimators import ESTIMATORS

        ESTIMATORS.require(self.estimator)
        if (self.ranges is None) != bool(self.calibration):
            raise InputError("give either measured ranges with --ranges or images with --calibration")

    @cached_property
    def given(self) -> DetectorSpec | None:
        """The spec of --spec."""
        from model.geometry.spec import read_spec

        return None if self.spec is None else read_spec(self.spec)

    @cached_property
    def detector(self) -> DetectorSpec:
        """What is known of the file's inputs and outputs.

        Raises:
            InputError: nothing is.
        """
        from model.runtime.flatbuffer import spec_inside

        found = self.given or spec_inside(self.model)
        if found is None:
            raise InputError(f"{self.model} carries no detector spec; give one with --spec")
        return found

    @cached_property
    def layers(self) -> list[Layer]:
        """Its layers in execution order."""
        from convert.tflite.graph import read_graph
        from quantize.tune.recipe_layers import layers_of

        return layers_of(read_graph(self.model))

    def calibration_images(self, count: int | None = None) -> CalibrationImages:
        """Images of --calibration, at most so many.

        Raises:
            InputError: there are none.
        """
        from quantize.calibrate.images import CalibrationImages

        return CalibrationImages(self.calibration, self.detector, count)

    @cached_property
    def measured(self) -> Ranges:
        """Its activation ranges, measured now unless they were before."""
        from model.foundation.command_line.progress import tracked
        from quantize.calibrate.meter import measure_ranges
        from quantize.calibrate.ranges import checkpoint_hash, read_ranges

        if self.ranges is None:
            images = self.calibration_images()
            return measure_ranges(self.model, tracked(images, f"activation ranges of {self.model.name}"))
        sha256 = checkpoint_hash(self.model, self.checkpoint)
        return read_ranges(self.ranges, sha256, self.detector.input_height, self.detector.input_width)[0]

    def keep_ranges(self, path: Path) -> Path | None:
        """The file of its ranges, for whoever applies a recipe: what was measured now is written to `path`.

        None where nobody says which checkpoint they belong to.
        """
        from model.foundation.artifact import Artifact
        from quantize.calibrate.ranges import SizeRanges, calibration_facts, checkpoint_hash, write_ranges

        if self.ranges is not None:
            return self.ranges
        if self.checkpoint is None and not Artifact.record_path(self.model).is_file():
            return None
        size = f"{self.detector.input_height}x{self.detector.input_width}"
        facts = calibration_facts(self.calibration, len(self.calibration_images()))
        sizes = {size: SizeRanges.of(self.measured, facts)}
        write_ranges(path, checkpoint_hash(self.model, self.checkpoint), sizes)
        return path

    def images(self, half: Half) -> Sequence[LabelledImage]:
        """Labelled images of one half of every folder."""
        from calibration_data.image_set import ImageSet

        halves = (ImageSet.in_folder(folder).half(half).sample(self.limit, self.seed) for folder in self.data)
        return [image for one in halves for image in one.labelled]

    def bench(self, half: Half, journal: Path | None, ranges: Ranges | None = None) -> Bench:
        """Where recipes are tried."""
        from quantize.calibrate.bounds import prepared
        from quantize.tune.trials import Bench

        bounds = prepared(ranges or self.measured, self.estimator, self.model)
        return Bench(self.model, bounds, self.images(half), journal, self.given)
