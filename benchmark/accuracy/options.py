"""Command-line options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration_data.readers import LabelledImage, list_images, read_labels
from model.evaluation.average_precision import SCORE_FLOOR
from model.evaluation.detections import DEFAULT_CACHE, usable_cores
from model.evaluation.protocol import InputProtocol
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec, parse_size, read_spec
from model.networks.registry import NETWORKS, spec_of


def add_model_options(command: argparse.ArgumentParser) -> None:
    """--network, --size and --spec: what a .pth does not say, or what replaces a file's own spec."""
    group = command.add_argument_group("model")
    group.add_argument("--network", choices=sorted(NETWORKS), help="network of a .pth")
    group.add_argument("--size", type=parse_size, help="input size of a .pth: 320, or HEIGHTxWIDTH")
    group.add_argument("--spec", type=Path, help="detector spec (JSON) for files that carry none")


def add_protocol_options(command: argparse.ArgumentParser) -> None:
    """How images are fed, over how many processes, and where finished work is kept."""
    group = command.add_argument_group(
        "input protocol (it moves AP by tens of points; every report states it)"
    )
    group.add_argument(
        "--protocol", choices=("letterbox", "original"), default="letterbox",
        help="scale each image into the model's size, or keep its pixels (.pth, dynamic .onnx)",
    )  # fmt: skip
    group.add_argument(
        "--scales",
        type=_scales,
        default=(1.0,),
        help="with 'original': factors, e.g. 0.5,1,2 (off by default)",
    )
    group.add_argument("--flip", action="store_true", help="with 'original': also the mirrored image")
    group.add_argument("--score-floor", type=float, default=SCORE_FLOOR, help="default: %(default)s")
    work = command.add_argument_group("work")
    work.add_argument("--processes", type=int, default=usable_cores(), help="default: %(default)s, all cores")
    work.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, help="finished images (default: %(default)s)"
    )
    work.add_argument("--no-resume", action="store_true", help="neither read nor write finished images")
    work.add_argument("--limit", type=int, help="evaluate this many images, drawn at random")
    work.add_argument("--seed", type=int, default=0, help="of every random choice (default: %(default)s)")
    work.add_argument("--quiet", action="store_true", help="no progress bar")


def _scales(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected factors such as 0.5,1,2, found {text!r}") from None


def protocol_of(options: argparse.Namespace) -> InputProtocol:
    """The input protocol that the options ask for."""
    return InputProtocol(options.protocol, options.scales, options.flip, options.score_floor)


def spec_for(model: Path, options: argparse.Namespace) -> DetectorSpec | None:
    """The spec to open a model with: from --spec, or for a .pth from --network and --size.

    Raises:
        InputError: a .pth without both.
    """
    if options.spec is not None:
        return read_spec(options.spec)
    if model.suffix != ".pth":
        return None
    if options.network is None or options.size is None:
        raise InputError(f"{model}: a checkpoint does not say what it is; give --network and --size")
    return spec_of(options.network, *options.size)


@dataclass(frozen=True)
class ImageSet:
    """Images to run on, with their labels if there are any.

    Attributes:
        name: For tables.
        images: Name -> file, in order.
        labels: Labelled images in the same order; None for a bare folder.
        label_file: Where the labels came from.
    """

    name: str
    images: dict[str, Path]
    labels: tuple[LabelledImage, ...] | None
    label_file: Path | None

    def sample(self, limit: int | None, seed: int) -> ImageSet:
        """At most `limit` images, drawn at random but kept in order.

        Raises:
            InputError: a limit below 1.
        """
        if limit is None or limit >= len(self.images):
            return self
        if limit < 1:
            raise InputError(f"--limit: expected at least 1 image, found {limit}")
        drawn = np.sort(np.random.default_rng(seed).choice(len(self.images), limit, replace=False))
        names = list(self.images)
        labels = None if self.labels is None else tuple(self.labels[index] for index in drawn)
        images = {names[index]: self.images[names[index]] for index in drawn}
        return ImageSet(self.name, images, labels, self.label_file)


def read_set(
    images: Path, labels: Path | None, name: str | None = None, skip_absent: bool = False
) -> ImageSet:
    """Read a labelled set, or a bare folder when there are no labels.

    Raises:
        InputError: the folder or the label file cannot be used.
    """
    if labels is None:
        paths = {path.relative_to(images).as_posix(): path for path in list_images(images)}
        return ImageSet(name or images.name, paths, None, None)
    read = read_labels(labels, images, skip_absent=skip_absent)
    default = images.parent.name if images.name == "images" else images.name
    return ImageSet(name or default, {one.name: one.path for one in read}, tuple(read), labels)
