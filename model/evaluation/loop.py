"""THE evaluation: photographs -> the model's input -> its answer -> faces -> matched with labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from pathlib import Path

import numpy as np

from calibration_data.images import load_rgb
from calibration_data.readers import LabelledImage
from model.evaluation.average_precision import COCO_IOUS, Matched, Truth, match
from model.evaluation.metrics import METRICS
from model.evaluation.protocol import LETTERBOX, InputProtocol, detect_image, detect_letterboxed, input_scale
from model.foundation.errors import InputError
from model.geometry.boxes import Detections
from model.geometry.letterbox import Letterbox, Pixels, letterbox
from model.geometry.spec import FACE, DetectorSpec
from model.runtime.running import RawOutputs, RunningModel

Seen = Callable[[int, RawOutputs], None]

KEPT_IMAGES = 1024
"""Letterboxed images that stay in memory: 0.3 GB at 320x320, 1.3 GB at 640x640."""


@dataclass(frozen=True, eq=False)
class ImageDetections:
    """Detections in one image, in its pixels, and its size in pixels."""

    found: Detections
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class Scored:
    """A model's detections, matched with the labels of a set.

    Attributes:
        matched: What agrees with what.
        threshold: Score above which a face is shown.
        class_names: Of the classes by which they were matched.
    """

    matched: Matched
    threshold: float
    class_names: tuple[str, ...] = (FACE,)

    def figures(self) -> dict[str, float | None]:
        """Metric (a file of model/evaluation/metrics) -> its figure; None where it is undefined."""
        return self._figures(self.matched)

    def figures_of_classes(self) -> dict[str, tuple[int, dict[str, float | None]]]:
        """Labelled class -> its number of labels and its `figures`; empty for a detector of one class."""
        parts = self.matched.by_class if len(self.class_names) > 1 else {}
        return {
            self.class_names[kind]: (len(one.face_image), self._figures(one)) for kind, one in parts.items()
        }

    def _figures(self, matched: Matched) -> dict[str, float | None]:
        values = {name: metric.of(matched, self.threshold) for name, metric in METRICS.items()}
        return {name: None if value is None or isnan(value) else value for name, value in values.items()}


def evaluate(
    model: RunningModel,
    images: Sequence[LabelledImage],
    protocol: InputProtocol = LETTERBOX,
    ious: tuple[float, ...] = COCO_IOUS,
    *,
    keep: bool = False,
    seen: Seen | None = None,
) -> Scored:
    """Run a model on labelled photographs and match what it finds.

    Args:
        model: Anything that answers for pictures: a file (`open_model`), a network in memory
            (`TorchModel`), a function (`FunctionModel`).
        images: Labelled photographs.
        protocol: How they are fed; letterboxed to the model's size, score floor 0.02, unless said.
        ious: Overlaps to match at; 0.5 alone is faster and does for AP50, but not for `figures`.
        keep: Letterboxed photographs stay in memory for the next model (up to KEPT_IMAGES).
        seen: Is given each letterboxed image's index and the model's raw outputs.

    Raises:
        InputError: there is no image, one is unreadable, or the outputs are not finite.
    """
    if not images:
        raise InputError("no labelled image to score on")
    found = [
        detect_file(model, image.path, protocol, keep=keep, seen=_numbered(seen, index))
        for index, image in enumerate(images)
    ]
    return scored(images, found, protocol, model.spec, ious)


def detect_file(
    model: RunningModel,
    path: Path,
    protocol: InputProtocol = LETTERBOX,
    *,
    keep: bool = False,
    seen: Callable[[RawOutputs], None] | None = None,
) -> ImageDetections:
    """Run a model on one photograph; see `evaluate`."""
    if protocol.fit == "letterbox":
        pixels, fitted = (kept_letterboxed if keep else letterboxed)(path, model.spec)
        found = detect_letterboxed(model, pixels, fitted, protocol, seen)
        return ImageDetections(found, fitted.image_height, fitted.image_width)
    image = load_rgb(path)
    return ImageDetections(detect_image(model, image, protocol), *image.shape[:2])


def truth_of(
    images: Sequence[LabelledImage],
    found: Sequence[ImageDetections],
    protocol: InputProtocol,
    spec: DetectorSpec,
) -> list[Truth]:
    """The labelled faces of each image, with the scale at which the network saw them.

    A label without a class is a face. Labels of a class that the detector does not know are left out.

    Raises:
        InputError: the detector knows none of the labels' classes.
    """
    known = {name: place for place, name in enumerate(spec.class_names)}
    labelled = {name or FACE for image in images for name in image.classes}
    if len(known) == 1 and labelled == {FACE}:
        known = {FACE: 0}  # whatever it calls them
    if labelled and not labelled & set(known):
        raise InputError(
            f"{spec.network} finds {', '.join(known)}; the labels are of {', '.join(sorted(labelled))} "
            "(a label that names no class is a face: convert/README.md)"
        )
    truth = []
    for image, one in zip(images, found, strict=True):
        kinds = np.array([known.get(name or FACE, -1) for name in image.classes], np.intp)
        scale, of_ours = input_scale(protocol, spec, one.height, one.width), kinds >= 0
        truth.append(Truth(image.boxes_xyxy[of_ours], image.ignore[of_ours], scale, kinds[of_ours]))
    return truth


def scored(
    images: Sequence[LabelledImage],
    found: Sequence[ImageDetections] | Mapping[str, ImageDetections],
    protocol: InputProtocol,
    spec: DetectorSpec,
    ious: tuple[float, ...] = COCO_IOUS,
) -> Scored:
    """Match detections with labels.

    Args:
        images: Labelled photographs.
        found: Detections in the same order, or by the images' names.
        protocol: How the images were fed.
        spec: Of the model that found them.
        ious: Overlaps to match at.
    """
    ordered = [found[one.name] for one in images] if isinstance(found, Mapping) else found
    matched = match([one.found for one in ordered], truth_of(images, ordered, protocol, spec), ious)
    return Scored(matched, max(spec.score_threshold, protocol.score_floor), spec.class_names)


def letterboxed(path: Path, spec: DetectorSpec) -> tuple[Pixels, Letterbox]:
    """A photograph letterboxed to the spec's size: uint8 RGB [H, W, 3], read-only, and the way back."""
    pixels, fitted = letterbox(load_rgb(path), spec)
    pixels.setflags(write=False)
    return pixels, fitted


kept_letterboxed = lru_cache(maxsize=KEPT_IMAGES)(letterboxed)
"""The same, from memory where it was asked for before."""


def _numbered(seen: Seen | None, index: int) -> Callable[[RawOutputs], None] | None:
    return None if seen is None else lambda outputs: seen(index, outputs)
