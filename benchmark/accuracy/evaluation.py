"""A model on a set of images: its detections, and their figures as a record that tables and gates read."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmark.accuracy.options import ModelOptions, RunOptions
from benchmark.accuracy.wider.ground_truth import WiderImage
from benchmark.accuracy.wider.predictions import Key, Rows
from benchmark.accuracy.wider.protocol import wider_average_precision
from calibration_data.image_set import ImageSet
from model.evaluation.average_precision import COCO_IOUS, Curve, Matched, Truth, match
from model.evaluation.detections import DetectionJob, ImageDetections, detect_all
from model.evaluation.loop import Scored, scored, truth_of
from model.evaluation.metrics import HEADLINE
from model.evaluation.protocol import LETTERBOX, InputProtocol, input_scale
from model.foundation.artifact import sha256_of
from model.foundation.errors import InputError
from model.foundation.workers import Shard
from model.geometry.boxes import Detections
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model

MAX_CURVE_POINTS = 1000


@dataclass(frozen=True, eq=False)
class Run:
    """A model's detections on a set.

    Attributes:
        path, sha256, spec: The model.
        protocol: How the images were fed.
        images: The set.
        found: Detections by image name, in the order of the set.
        images_per_second: None where a part was resumed.
    """

    path: Path
    sha256: str
    spec: DetectorSpec
    protocol: InputProtocol
    images: ImageSet
    found: Mapping[str, ImageDetections]
    images_per_second: float | None = None

    @property
    def threshold(self) -> float:
        """The score above which a face is shown."""
        return max(self.spec.score_threshold, self.protocol.score_floor)

    def shown(self, name: str) -> Detections:
        """The detections in one image with a score above the threshold."""
        return self.found[name].found.above(self.threshold)

    def truth(self) -> list[Truth] | None:
        """The labelled faces of each image, with the scale at which the network saw them, or None."""
        labels = self.images.labels
        if labels is None:
            return None
        return truth_of(labels, list(self.found.values()), self.protocol, self.spec)

    def input_scale(self, name: str) -> float:
        """Pixels of the network's input per pixel of an image."""
        one = self.found[name]
        return input_scale(self.protocol, self.spec, one.height, one.width)

    def matched(self, truth: Sequence[Truth]) -> Matched:
        """The detections matched with faces at all of COCO's overlaps."""
        return match([one.found for one in self.found.values()], truth, COCO_IOUS)


def run_model(path: Path, images: ImageSet, opened: ModelOptions, how: RunOptions) -> Run:
    """Run one model file on a set.

    Raises:
        InputError: the model or an image cannot be used, or the flags contradict one another.
    """
    job = _job(path, images, opened, how)
    spec, sha256 = open_model(path, job.spec).spec, sha256_of(path)
    started = time.perf_counter()
    found = detect_all(replace(job, sha256=sha256), quiet=how.quiet)
    speed = len(found) / (time.perf_counter() - started)
    return Run(path, sha256, spec, job.protocol, images, found, speed if job.cache is None else None)


def run_part(path: Path, images: ImageSet, opened: ModelOptions, how: RunOptions, shard: Shard) -> int:
    """Run one model file on a part of a set, for the cache alone; gives the number of images.

    Raises:
        InputError: as `run_model`, or there is no cache to keep them in.
    """
    if how.no_resume:
        raise InputError("--shard keeps what it finishes for a later run; leave out --no-resume")
    return len(detect_all(_job(path, images, opened, how).part(shard), quiet=how.quiet))


def _job(path: Path, images: ImageSet, opened: ModelOptions, how: RunOptions) -> DetectionJob:
    cache = None if how.no_resume else how.cache
    return DetectionJob(
        path, opened.spec_for(path), images.images, how.input_protocol(), how.workers(), cache
    )


@dataclass(frozen=True)
class HeightRecall:
    """Labelled faces of one band of heights: how many, found at the score floor, found at the threshold."""

    faces: int
    found: int
    found_at_threshold: int


@dataclass(frozen=True)
class CurvePoints:
    """Precision and recall at IoU 0.5, highest score first: where recall grows, 1,000 points at most."""

    score: list[float] = field(default_factory=list)
    precision: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class ClassFigures:
    """One class: its labelled objects, and its metrics as those of `Evaluation`."""

    faces: int
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class Evaluation:
    """One model on one set.

    Attributes:
        model, model_sha256: The file.
        set: Name of the set.
        protocol: Input protocol in words; `protocol_settings` in full.
        images, faces, ignored: Counts of the set; ignored faces are not in `faces`.
        score_threshold: Above which a face is shown.
        metrics: Name of a metric (a file of model/evaluation/metrics) -> its figure; None where undefined.
        classes: Name of a labelled class -> its figures, of which AP above is the mean; empty for one class.
        recall_by_height: Band of face heights in pixels of the network's input -> its faces.
        curve: Precision and recall.
        wider: Subset -> AP in 0..1 under WIDER FACE's protocol, where its ground truth was given.
        images_per_second: Of the run that found the detections; None when it was resumed.
    """

    model: str
    model_sha256: str
    set: str
    protocol: str
    images: int
    faces: int
    ignored: int
    score_threshold: float
    metrics: dict[str, float | None] = field(default_factory=dict)
    classes: dict[str, ClassFigures] = field(default_factory=dict)
    recall_by_height: dict[str, HeightRecall] = field(default_factory=dict)
    curve: CurvePoints = CurvePoints()
    wider: dict[str, float | None] | None = None
    protocol_settings: InputProtocol = LETTERBOX
    images_per_second: float | None = None

    @property
    def headline(self) -> float | None:
        """The figure of HEADLINE."""
        return self.metrics.get(HEADLINE)


def evaluate(run: Run, wider_truth: Sequence[WiderImage] | None = None) -> Evaluation:
    """Score a run against the labels of its set.

    Args:
        run: Of a labelled set.
        wider_truth: Official ground truth; its images are found in the set by "event/name".

    Raises:
        InputError: the set has no labels, or the official ground truth knows none of its images.
    """
    labels = run.images.labelled
    found = scored(labels, run.found, run.protocol, run.spec)
    wider = None
    if wider_truth is not None:
        subset = wider_average_precision(*wider_subset(wider_truth, run.found))
        wider = {name: None if math.isnan(one.ap) else one.ap for name, one in subset.items()}
    return Evaluation(
        model=run.path.name,
        model_sha256=run.sha256,
        set=run.images.name,
        protocol=run.protocol.describe(run.spec),
        images=len(labels),
        faces=len(found.matched.face_image),
        ignored=sum(int(one.ignore.sum()) for one in labels),
        score_threshold=found.threshold,
        metrics=found.figures(),
        classes={name: ClassFigures(*each) for name, each in found.figures_of_classes().items()},
        recall_by_height=_heights(found, run.protocol.score_floor),
        curve=_thinned(found.matched.curve()),
        wider=wider,
        protocol_settings=run.protocol,
        images_per_second=run.images_per_second,
    )


def _heights(found: Scored, floor: float) -> dict[str, HeightRecall]:
    low = found.matched.recall_by_height(score=floor)
    high = found.matched.recall_by_height(score=found.threshold)
    return {band: HeightRecall(one.faces, one.found, high[band].found) for band, one in low.items()}


def _thinned(curve: Curve) -> CurvePoints:
    grows = np.flatnonzero(np.diff(curve.recall, prepend=0.0) > 0)
    if len(grows) > MAX_CURVE_POINTS:
        grows = grows[np.linspace(0, len(grows) - 1, MAX_CURVE_POINTS).round().astype(int)]
    columns = (np.round(one[grows], 6).tolist() for one in (curve.scores, curve.precision, curve.recall))
    return CurvePoints(*columns)


def evaluate_file(path: Path, images: ImageSet) -> Evaluation:
    """Measure a .tflite or .onnx file on a labelled set, letterboxed, on all cores.

    Raises:
        InputError: the file or an image cannot be used, or the set has no labels.
    """
    return evaluate(run_model(path, images, ModelOptions(), RunOptions(quiet=True)))


def wider_keys(names: Iterable[str], truth: Sequence[WiderImage]) -> dict[Key, str]:
    """(event, name) -> name of the image in its set, of those that the official ground truth knows."""
    known = {(image.event, image.name) for image in truth}
    keys = {tuple(name.rsplit(".", 1)[0].rsplit("/", 2)[-2:]): name for name in names}
    return {(key[0], key[1]): name for key, name in keys.items() if key in known}


def wider_subset(
    truth: Sequence[WiderImage], found: Mapping[str, ImageDetections]
) -> tuple[list[WiderImage], dict[Key, Rows]]:
    """The official ground truth of the images that were run, and their detections in its terms.

    Raises:
        InputError: none of the images is WIDER FACE's.
    """
    keys = wider_keys(found, truth)
    if not keys:
        raise InputError(
            "the WIDER FACE ground truth knows none of the images; names must end in EVENT/IMAGE.jpg"
        )
    present = [image for image in truth if (image.event, image.name) in keys]
    return present, {key: _rows(found[name].found) for key, name in keys.items()}


def _rows(found: Detections) -> Rows:
    boxes = found.boxes_xyxy.astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2], found.scores[:, None]], axis=1)
