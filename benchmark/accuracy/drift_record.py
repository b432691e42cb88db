"""What quantization (or anything else) changed between two models on the same images, with its certainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from benchmark.accuracy.bootstrap import Difference, Statistic, Weights, paired_difference, resampled_images
from benchmark.accuracy.evaluation import EvaluatedModel, truth_of, wider_subset
from benchmark.accuracy.wider_ground_truth import SUBSETS, WiderImage
from benchmark.accuracy.wider_protocol import SubsetMatched, match_wider
from calibration_data.readers import LabelledImage
from model.evaluation.average_precision import COCO_IOUS, HEIGHT_BANDS, Matched, Truth, match
from model.evaluation.detections import ImageDetections
from model.evaluation.face_changes import FaceChanges, compare_faces
from model.evaluation.protocol import input_scale
from model.foundation.errors import InputError
from model.geometry.boxes import Detections

MAX_FOLDERS = 12
"""Sets with more top folders than this are not split by folder: the table would hide the figures."""


@dataclass(frozen=True)
class DriftRow:
    """One figure of both models.

    Attributes:
        what: The figure, e.g. "AP50" or "AP50, faces 16-32 px".
        faces: Labelled faces it rests on.
        reference, candidate, difference, low, high: In 0..1; see `Difference`.
    """

    what: str
    faces: int
    reference: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None


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
        rows: Figures with intervals; the first is AP50 over everything.
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
    lost_true: int | None
    gained_true: int | None
    median_iou: float | None
    median_score_change: float | None
    median_landmark_shift: float | None
    worst: list[ChangedImage]

    def to_json(self) -> dict[str, Any]:
        """JSON values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Drift:
        """The inverse of `to_json`.

        Raises:
            InputError: a field is missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        if set(value) != names:
            raise InputError(
                f"a drift record needs exactly {', '.join(sorted(names))}; found {', '.join(value)}"
            )
        rows = [DriftRow(**row) for row in value["rows"]]
        return cls(**{**value, "rows": rows, "worst": [ChangedImage(**one) for one in value["worst"]]})


@dataclass(frozen=True, eq=False)
class DriftInput:
    """Two models' detections on the same images.

    Attributes:
        reference, candidate: The models.
        found: Detections of each by image name.
        set: Name of the set.
        labels: None when there are none.
        wider_truth: Official ground truth, for Easy, Medium and Hard.
    """

    reference: EvaluatedModel
    candidate: EvaluatedModel
    found: tuple[Mapping[str, ImageDetections], Mapping[str, ImageDetections]]
    set: str
    labels: Sequence[LabelledImage] | None
    wider_truth: Sequence[WiderImage] | None = None


def measure_drift(data: DriftInput, resamples: int, seed: int) -> tuple[Drift, dict[str, FaceChanges]]:
    """Compare two models on the same images.

    Returns:
        The record, and what changed in each image by name.
    """
    names = list(data.found[0])
    threshold = max(data.reference.spec.score_threshold, data.reference.protocol.score_floor)
    shown = [[one[name].found.above(threshold) for name in names] for one in data.found]
    truth = _truth(data, names, shown[0])
    known: Sequence[Truth | None] = truth if data.labels is not None else [None] * len(names)
    changes = {
        name: compare_faces(first, second, faces)
        for name, first, second, faces in zip(names, *shown, known, strict=True)
    }
    samples = resampled_images(len(names), resamples, seed)
    rows = _rows(data, names, truth, samples) + _wider_rows(data, resamples, seed)
    return _record(data, rows, changes, (resamples, seed, threshold)), changes


def _truth(data: DriftInput, names: list[str], shown: list[Detections]) -> list[Truth]:
    if data.labels is not None:
        return truth_of(data.labels, data.found[0], data.reference.protocol, data.reference.spec)
    sizes = [data.found[0][name] for name in names]
    scales = [
        input_scale(data.reference.protocol, data.reference.spec, one.height, one.width) for one in sizes
    ]
    return [Truth.of(one.boxes_xyxy, input_scale=scale) for one, scale in zip(shown, scales, strict=True)]


def _rows(data: DriftInput, names: list[str], truth: list[Truth], samples: Weights) -> list[DriftRow]:
    first, second = ([one[name].found for name in names] for one in data.found)
    matched = [match(found, truth, COCO_IOUS) for found in (first, second)]
    faces = len(matched[0].face_image)
    few = samples[: -(-len(samples) // 5)]  # ten times the work for the same decision
    rows = [
        _row("AP50", faces, [_ap(one) for one in matched], samples),
        _row("AP50:95", faces, [one.mean_average_precision for one in matched], few),
    ]
    for band, low, high in HEIGHT_BANDS:
        inside = [one.within(low, high) for one in truth]
        banded = [match(found, inside).within(low, high) for found in (first, second)]
        what = f"AP50, faces {band} px"
        rows.append(_row(what, len(banded[0].face_image), [_ap(one) for one in banded], samples))
    folders = [name.split("/", 1)[0] if "/" in name else "" for name in names]
    if 2 <= len(set(folders)) <= MAX_FOLDERS:
        for folder in sorted(set(folders)):
            mask = np.asarray([one == folder for one in folders], np.int64)
            count = int(mask[matched[0].face_image].sum())
            rows.append(_row(f"AP50, folder {folder}", count, [_ap(one, mask) for one in matched], samples))
    return rows


def _ap(matched: Matched, mask: Weights | None = None) -> Statistic:
    """AP50 as a figure that can be resampled, over the images of a mask (int [images]) only."""

    def figure(weights: Weights | None) -> float:
        if mask is None:
            return matched.average_precision(weights=weights)
        return matched.average_precision(weights=mask if weights is None else mask * weights)

    return figure


def _wider_ap(matched: SubsetMatched) -> Statistic:
    def figure(weights: Weights | None) -> float:
        return matched.result(weights).ap

    return figure


def _wider_rows(data: DriftInput, resamples: int, seed: int) -> list[DriftRow]:
    if data.wider_truth is None:
        return []
    rows = []
    both = [match_wider(*wider_subset(data.wider_truth, found)) for found in data.found]
    samples = resampled_images(len(both[0][SUBSETS[0]].faces), resamples, seed)
    for subset in SUBSETS:
        ap = [_wider_ap(one[subset]) for one in both]
        rows.append(_row(f"WIDER {subset}", int(both[0][subset].faces.sum()), ap, samples))
    return rows


def _row(what: str, faces: int, figures: Sequence[Statistic], samples: Weights) -> DriftRow:
    found: Difference = paired_difference(figures[0], figures[1], samples)
    return DriftRow(what, faces, **asdict(found))


def _record(
    data: DriftInput, rows: list[DriftRow], changes: dict[str, FaceChanges], settings: tuple[int, int, float]
) -> Drift:
    all_ = list(changes.values())
    labelled = data.labels is not None
    ranked = sorted(changes.items(), key=lambda item: (-item[1].severity, item[0]))
    return Drift(
        reference=data.reference.path.name,
        reference_sha256=data.reference.sha256,
        candidate=data.candidate.path.name,
        candidate_sha256=data.candidate.sha256,
        set=data.set,
        protocol=data.reference.protocol.describe(data.reference.spec),
        truth="labels" if labelled else "reference",
        images=len(changes),
        rows=rows,
        resamples=settings[0],
        seed=settings[1],
        threshold=settings[2],
        shown=sum(len(one.lost) + len(one.pairs) for one in all_),
        lost=sum(len(one.lost) for one in all_),
        gained=sum(len(one.gained) for one in all_),
        moved=sum(len(one.moved) for one in all_),
        lost_true=sum(one.lost_true or 0 for one in all_) if labelled else None,
        gained_true=sum(one.gained_true or 0 for one in all_) if labelled else None,
        median_iou=_median([one.iou for one in all_]),
        median_score_change=_median([one.score_change for one in all_]),
        median_landmark_shift=_median([one.landmark_shift for one in all_]),
        worst=[
            ChangedImage(name, len(one.lost), len(one.gained), len(one.moved), round(one.severity, 4))
            for name, one in ranked
            if one.severity > 0
        ],
    )


def _median(parts: list[Any]) -> float | None:
    values = np.concatenate(parts) if parts else np.empty(0)
    return float(np.median(values)) if len(values) else None
