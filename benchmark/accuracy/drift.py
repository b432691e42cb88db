"""What quantization (or anything else) changed between two models on the same images, with its certainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy.bootstrap import RESAMPLES, Statistic, Weights, paired_difference, resampled_images
from benchmark.accuracy.evaluation import Run, run_model, wider_subset
from benchmark.accuracy.options import ModelOptions, RunOptions
from benchmark.accuracy.wider.ground_truth import SUBSETS, WiderImage
from benchmark.accuracy.wider.protocol import SubsetMatched, match_wider
from calibration_data.image_set import ImageSet
from model.evaluation.average_precision import HEIGHT_BANDS, Matched, Truth
from model.evaluation.face_changes import FaceChanges, compare_faces
from model.evaluation.metrics import HEADLINE, METRICS, Metric
from model.foundation.errors import InputError

MAX_FOLDERS = 12
"""Sets with more top folders than this are not split by folder: the table would hide the figures."""


@dataclass(frozen=True)
class DriftRow:
    """One figure of both models.

    Attributes:
        what: The figure, e.g. "AP50" or "AP50, faces 16-32 px".
        faces: Labelled faces it rests on.
        reference, candidate, difference, low, high: In 0..1; see `PairedDifference`.
        metric: Name of the metric over the whole set; empty for a band, a folder or a subset.
    """

    what: str
    faces: int
    reference: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None
    metric: str = ""


@dataclass(frozen=True)
class ChangedImage:
    """Counts of one image, for the list of the worst."""

    name: str
    lost: int
    gained: int
    moved: int
    severity: float


@dataclass(frozen=True)
class Drift:
    """The drift of a candidate against a reference.

    Attributes:
        reference, candidate: File names; with their hashes.
        set, protocol: Where and how it was measured.
        truth: "labels", or "reference" when the reference's own detections stood in for labels.
        images: Number of images.
        rows: Figures with intervals; those of the metrics over the whole set first.
        resamples, seed: Of the bootstrap.
        threshold: Score above which a face is shown.
        shown, lost, gained, moved: Faces that the reference shows, and what became of them.
        lost_true, gained_true: Of them, labelled faces; None without labels.
        median_iou, median_score_change, median_landmark_shift: Over the faces that both show.
        worst: Images in order of what changed most, those without a change left out.
    """

    reference: str
    reference_sha256: str
    candidate: str
    candidate_sha256: str
    set: str
    protocol: str
    truth: str
    images: int
    rows: list[DriftRow]
    resamples: int
    seed: int
    threshold: float
    shown: int
    lost: int
    gained: int
    moved: int
    lost_true: int | None = None
    gained_true: int | None = None
    median_iou: float | None = None
    median_score_change: float | None = None
    median_landmark_shift: float | None = None
    worst: list[ChangedImage] = field(default_factory=list)

    def of(self, metric: str) -> DriftRow | None:
        """The row of a metric over the whole set."""
        return next((row for row in self.rows if row.metric == metric), None)


def measure_drift(
    reference: Run,
    candidate: Run,
    wider_truth: Sequence[WiderImage] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Drift, dict[str, FaceChanges]]:
    """Compare two models on the same images.

    Args:
        reference, candidate: Runs on one set. Without labels, what the reference shows stands in for them.
        wider_truth: Official ground truth, for Easy, Medium and Hard.
        resamples, seed: Of the bootstrap over images.

    Returns:
        The record, and what changed in each image by name.

    Raises:
        InputError: the models read images at different sizes or find other classes, or there is no resample.
    """
    if resamples < 1:
        raise InputError(f"--resamples: expected at least 1, found {resamples}")
    _require_alike(reference, candidate)
    names = list(reference.found)
    labels = reference.truth()
    known: Sequence[Truth | None] = [None] * len(names) if labels is None else labels
    changes = {}
    for name, faces in zip(names, known, strict=True):
        shown = candidate.found[name].found.above(reference.threshold)
        changes[name] = compare_faces(reference.shown(name), shown, faces)
    truth = labels
    if truth is None:
        truth = [
            Truth.of(
                reference.shown(name).boxes_xyxy,
                input_scale=reference.input_scale(name),
                classes=reference.shown(name).classes,
            )
            for name in names
        ]
    rows = _rows((reference, candidate), truth, resampled_images(len(names), resamples, seed))
    if wider_truth is not None:
        rows += _wider_rows((reference, candidate), wider_truth, resamples, seed)
    drift = Drift(
        reference=reference.path.name,
        reference_sha256=reference.sha256,
        candidate=candidate.path.name,
        candidate_sha256=candidate.sha256,
        set=reference.images.name,
        protocol=reference.protocol.describe(reference.spec),
        truth="reference" if labels is None else "labels",
        images=len(names),
        rows=rows,
        resamples=resamples,
        seed=seed,
        threshold=reference.threshold,
        **_changes(changes, labels is not None),
    )
    return drift, changes


def compare_files(reference: Path, candidate: Path, images: ImageSet) -> Drift:
    """Measure what changed between two .tflite or .onnx files on a set, labelled or not.

    Raises:
        InputError: a file or an image cannot be used.
    """
    runs = [
        run_model(path, images, ModelOptions(), RunOptions(quiet=True)) for path in (reference, candidate)
    ]
    return measure_drift(runs[0], runs[1])[0]


def _require_alike(*runs: Run) -> None:
    kinds = [f"{one.path.name} finds {', '.join(one.spec.class_names)}" for one in runs]
    if len({one.spec.class_names for one in runs}) > 1:
        raise InputError(f"drift compares models of the same classes: {'; '.join(kinds)}")
    sizes = [f"{one.path.name} reads {one.spec.input_height}x{one.spec.input_width}" for one in runs]
    same = len({(one.spec.input_height, one.spec.input_width) for one in runs}) == 1
    if runs[0].protocol.fit == "letterbox" and not same:
        raise InputError(f"drift compares models at one input size: {', '.join(sizes)}")


def _rows(runs: Sequence[Run], truth: list[Truth], samples: Weights) -> list[DriftRow]:
    both, threshold = [run.matched(truth) for run in runs], runs[0].threshold
    faces, headline, rows = len(both[0].face_image), METRICS[HEADLINE], []
    for name, metric in METRICS.items():
        some = samples[: -(-len(samples) // metric.cost)]
        figures = [_figure(metric, one, threshold) for one in both]
        rows.append(_row(metric.title, faces, figures, some, name))
    for kind in both[0].by_class if len(both[0].by_class) > 1 else ():
        alone = [one.of_class(kind) for one in both]
        what, faces = f"{headline.title}, {runs[0].spec.class_names[kind]}", len(alone[0].face_image)
        rows.append(_row(what, faces, [_figure(headline, one, threshold) for one in alone], samples))
    for band, low, high in HEIGHT_BANDS:
        inside = [one.within(low, high) for one in truth]
        banded = [run.matched(inside).within(low, high) for run in runs]
        what, faces = f"{headline.title}, faces {band} px", len(banded[0].face_image)
        rows.append(_row(what, faces, [_figure(headline, one, threshold) for one in banded], samples))
    for folder, mask in _folders(list(runs[0].found)).items():
        what, faces = f"{headline.title}, folder {folder}", int(mask[both[0].face_image].sum())
        figures = [_figure(headline, one, threshold, mask) for one in both]
        rows.append(_row(what, faces, figures, samples))
    return rows


def _folders(names: Sequence[str]) -> dict[str, Weights]:
    """Top folder -> int [images], 1 for the images in it; empty where there is one folder or too many."""
    folders = [name.split("/", 1)[0] if "/" in name else "" for name in names]
    if not 2 <= len(set(folders)) <= MAX_FOLDERS:
        return {}
    return {name: np.asarray([one == name for one in folders], np.int64) for name in sorted(set(folders))}


def _figure(metric: Metric, matched: Matched, threshold: float, mask: Weights | None = None) -> Statistic:
    """A metric as a figure that can be resampled, over the images of a mask (int [images]) only."""

    def figure(weights: Weights | None) -> float:
        if mask is not None:
            weights = mask if weights is None else mask * weights
        value = metric.of(matched, threshold, weights)
        return float("nan") if value is None else value

    return figure


def _wider_rows(
    runs: Sequence[Run], truth: Sequence[WiderImage], resamples: int, seed: int
) -> list[DriftRow]:
    both = [match_wider(*wider_subset(truth, run.found)) for run in runs]
    samples = resampled_images(len(both[0][SUBSETS[0]].faces), resamples, seed)
    rows = []
    for subset in SUBSETS:
        figures = [partial(_official_ap, one[subset]) for one in both]
        rows.append(_row(f"WIDER {subset}", int(both[0][subset].faces.sum()), figures, samples))
    return rows


def _official_ap(matched: SubsetMatched, weights: Weights | None) -> float:
    return matched.result(weights).ap


def _row(what: str, faces: int, figures: Sequence[Statistic], samples: Weights, metric: str = "") -> DriftRow:
    return DriftRow(what, faces, **asdict(paired_difference(figures[0], figures[1], samples)), metric=metric)


def _changes(changes: dict[str, FaceChanges], labelled: bool) -> dict[str, Any]:
    """What became of the faces, as fields of `Drift`."""
    all_ = list(changes.values())
    ranked = sorted(changes.items(), key=lambda item: (-item[1].severity, item[0]))
    return {
        "shown": sum(len(one.lost) + len(one.pairs) for one in all_),
        **{name: sum(len(getattr(one, name)) for one in all_) for name in ("lost", "gained", "moved")},
        "lost_true": sum(one.lost_true or 0 for one in all_) if labelled else None,
        "gained_true": sum(one.gained_true or 0 for one in all_) if labelled else None,
        "median_iou": _median([one.iou for one in all_]),
        "median_score_change": _median([one.score_change for one in all_]),
        "median_landmark_shift": _median([one.landmark_shift for one in all_]),
        "worst": [
            ChangedImage(name, len(one.lost), len(one.gained), len(one.moved), round(one.severity, 4))
            for name, one in ranked
            if one.severity > 0
        ],
    }


def _median(parts: Sequence[NDArray[np.float64]]) -> float | None:
    values = np.concatenate(parts) if parts else np.empty(0)
    return float(np.median(values)) if len(values) else None
