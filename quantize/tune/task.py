"""What `sensitivity`, `search` and `curve` work on: a float file, its bounds, labelled images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from calibration_data.image_set import Half, ImageSet
from calibration_data.readers import LabelledImage
from convert.tflite.graph import read_graph
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec, read_spec
from model.runtime.flatbuffer import spec_inside
from quantize.calibrate.bounds import prepared
from quantize.calibrate.estimators import ESTIMATORS
from quantize.calibrate.images import CalibrationImages
from quantize.calibrate.meter import RangeMeter
from quantize.calibrate.ranges import Ranges, checkpoint_hash, read_ranges
from quantize.tune.recipe_layers import Layer, layers_of
from quantize.tune.trials import Bench

PARTS: tuple[Half, Half] = ("search", "verify")


def add_subject(parser: argparse.ArgumentParser, *, images_needed: bool = False) -> None:
    """The options that say what to work on; with `images_needed` ranges from a file do not do."""
    parser.add_argument("--model", type=Path, required=True, help="float32 TFLite file")
    parser.add_argument("--spec", type=Path, help="detector spec (JSON), for a file that carries none")
    parser.add_argument(
        "--checkpoint", type=Path, help="what it was made from, if no record stands beside it"
    )
    bounds = parser.add_mutually_exclusive_group(required=True)
    if images_needed:
        parser.set_defaults(ranges=None)
    else:
        bounds.add_argument("--ranges", type=Path, help="activation ranges (JSON) of its checkpoint")
    bounds.add_argument(
        "--calibration", type=Path, nargs="+", help="manifest(s) of images to measure ranges on"
    )
    parser.add_argument(
        "--estimator", choices=tuple(ESTIMATORS), default="min_max", help="of the ranges (min_max)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="folder(s) with label.txt and images/; never those that final figures are reported on",
    )
    parser.add_argument("--images", type=int, default=100, help="of each folder's half (100)")


class Subject:
    """A float file with its spec, the layers that can be quantized, and its activation bounds.

    Raises:
        InputError: a file is absent, or they do not belong together.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.model: Path = options.model
        self.estimator: str = options.estimator
        self.layers: list[Layer] = layers_of(read_graph(self.model))
        self.given = None if options.spec is None else read_spec(options.spec)
        spec = self.given or spec_inside(self.model)
        if spec is None:
            raise InputError(f"{self.model} carries no detector spec; give one with --spec")
        self.spec: DetectorSpec = spec
        self._folders: list[Path] = options.data
        self._count: int = options.images
        if self._count < 1:
            raise InputError(f"--images must be at least 1, found {self._count}")
        self.ranges = self._ranges(options)

    def _ranges(self, options: argparse.Namespace) -> Ranges:
        if options.calibration is not None:
            return self.meter(options.calibration, None).ranges()
        sha256 = checkpoint_hash(self.model, options.checkpoint)
        return read_ranges(options.ranges, sha256, self.spec.input_height, self.spec.input_width)[0]

    def meter(self, manifests: Sequence[Path], count: int | None) -> RangeMeter:
        """A meter that has seen the first `count` images of the manifests, taken in turn."""
        meter = RangeMeter(self.model)
        images = CalibrationImages(manifests, self.spec, count)
        for image in track(images, f"activation ranges of {self.model.name}"):
            meter.add(image)
        return meter

    def images(self, part: Half) -> list[LabelledImage]:
        """Labelled images of one half of every folder."""
        return [
            image
            for folder in self._folders
            for image in ImageSet.in_folder(folder).half(part, self._count).labelled
        ]

    def bench(self, part: Half, journal: Path | None, ranges: Ranges | None = None) -> Bench:
        """Where recipes are tried."""
        bounds = prepared(ranges or self.ranges, self.estimator, self.model)
        return Bench(self.model, bounds, self.images(part), journal, self.given)
