"""Figures of one model on one labelled set, as a typed record that tables, plots and gates read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.accuracy.wider_ground_truth import WiderImage
from benchmark.accuracy.wider_predictions import Key, Rows
from benchmark.accuracy.wider_protocol import wider_average_precision
from calibration_data.readers import LabelledImage
from model.evaluation.average_precision import COCO_IOUS, Curve, Matched, Truth, match
from model.evaluation.detections import ImageDetections
from model.evaluation.protocol import InputProtocol, input_scale
from model.foundation.errors import InputError
from model.geometry.boxes import Detections
from model.geometry.spec import DetectorSpec

MAX_CURVE_POINTS = 1000


@dataclass(frozen=True)
class Evaluation:
    """One model on one set.

    Attributes:
        model, model_sha256: The file.
        set: Name of the set.
        protocol: Input protocol in words; `protocol_settings` in full.
        images, faces, ignored: Counts of the set; ignored faces are not in `faces`.
        ap50: AP at IoU 0.5, all points, in 0..1; None without faces.
        ap50_95: Mean AP over IoU 0.5, 0.55 .. 0.95.
        precision, recall: At the score threshold that the spec recommends.
        score_threshold: That threshold.
        recall_by_height: Band of face heights in pixels of the network's input -> faces, found (at the
            score floor), found_at_threshold.
        curve: Precision-recall arrays at IoU 0.5: "score", "precision", "recall", highest score first,
            only the points at which recall grows, thinned evenly to 1,000.
        wider: Subset -> AP under WIDER FACE's protocol, where its keep lists were given.
        images_per_second: Of the run that found the detections; None when it was resumed.
    """

    model: str
    model_sha256: str
    set: str
    protocol: str
    protocol_settings: dict[str, Any]
    images: int
    faces: int
    ignored: int
    ap50: float | None
    ap50_95: float | None
    precision: float | None
    recall: float | None
    score_threshold: float
    recall_by_height: dict[str, dict[str, int]]
    curve: dict[str, list[float]]
    wider: dict[str, float | None] | None = None
    images_per_second: float | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evaluation:
        """The inverse of `to_json`.

        Raises:
            InputError: a field is missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        if set(value) != names:
            raise InputError(
                f"an evaluation needs exactly {', '.join(sorted(names))}; found {', '.join(value)}"
            )
        return cls(**value)


def truth_of(
    labels: Sequence[LabelledImage],
    found: Mapping[str, ImageDetections],
    protocol: InputProtocol,
    spec: DetectorSpec,
) -> list[Truth]:
    """The labelled faces of each image, with the scale at which the network saw them."""
    return [
        Truth.of(
            one.boxes_xyxy,
            one.ignore,
            input_scale(protocol, spec, found[one.name].height, found[one.name].width),
        )
        for one in labels
    ]


def matched_of(
    labels: Sequence[LabelledImage],
    found: Mapping[str, ImageDetections],
    protocol: InputProtocol,
    spec: DetectorSpec,
) -> Matched:
    """Detections matched with the labels at all of COCO's overlaps."""
    detections = [found[one.name].found for one in labels]
    return match(detections, truth_of(labels, found, protocol, spec), COCO_IOUS)


def operating_point(curve: Curve, threshold: float) -> tuple[float | None, float | None]:
    """Precision and recall of the detections with a score above a threshold; None where undefined."""
    above = int((curve.scores > threshold).sum())
    if not above:
        return None, 0.0
    precision, recall = float(curve.precision[above - 1]), float(curve.recall[above - 1])
    return precision, None if math.isnan(recall) else recall


def thinned(curve: Curve, most: int = MAX_CURVE_POINTS) -> dict[str, list[float]]:
    """The points at which recall grows, at most `most` of them, rounded for a file."""
    grows = np.flatnonzero(np.diff(curve.recall, prepend=0.0) > 0)
    if len(grows) > most:
        grows = grows[np.linspace(0, len(grows) - 1, most).round().astype(int)]
    columns = {"score": curve.scores, "precision": curve.precision, "recall": curve.recall}
    return {name: np.round(values[grows], 6).tolist() for name, values in columns.items()}


def height_table(matched: Matched, floor: float, threshold: float) -> dict[str, dict[str, int]]:
    """Faces, found at the floor and found at the threshold, by band of face heights."""
    low, high = matched.recall_by_height(score=floor), matched.recall_by_height(score=threshold)
    return {
        band: {"faces": one.faces, "found": one.found, "found_at_threshold": high[band].found}
        for band, one in low.items()
    }


@dataclass(frozen=True)
class EvaluatedModel:
    """What an evaluation is of: the file, its hash and geometry, and how it was fed."""

    path: Path
    sha256: str
    spec: DetectorSpec
    protocol: InputProtocol


def evaluate(
    subject: EvaluatedModel,
    set_name: str,
    labels: Sequence[LabelledImage],
    found: Mapping[str, ImageDetections],
    wider_truth: Sequence[WiderImage] | None = None,
) -> Evaluation:
    """Score detections against labels.

    Args:
        subject: The model.
        set_name: For tables.
        labels: The labelled images.
        found: Their detections by name.
        wider_truth: Official ground truth; its images are found among the labels by "event/name".

    Raises:
        InputError: the official ground truth knows none of the images.
    """
    matched = matched_of(labels, found, subject.protocol, subject.spec)
    curve = matched.curve()
    threshold = max(subject.spec.score_threshold, subject.protocol.score_floor)
    precision, recall = operating_point(curve, threshold)
    wider = None
    if wider_truth is not None:
        truth, rows = wider_subset(wider_truth, found)
        wider = {name: _number(one.ap) for name, one in wider_average_precision(truth, rows).items()}
    return Evaluation(
        model=subject.path.name,
        model_sha256=subject.sha256,
        set=set_name,
        protocol=subject.protocol.describe(subject.spec),
        protocol_settings=subject.protocol.to_json(),
        images=len(labels),
        faces=len(matched.face_image),
        ignored=sum(int(one.ignore.sum()) for one in labels),
        ap50=_number(matched.average_precision()),
        ap50_95=_number(matched.mean_average_precision()),
        precision=precision,
        recall=recall,
        score_threshold=threshold,
        recall_by_height=height_table(matched, subject.protocol.score_floor, threshold),
        curve=thinned(curve),
        wider=wider,
    )


def wider_subset(
    truth: Sequence[WiderImage], found: Mapping[str, ImageDetections]
) -> tuple[list[WiderImage], dict[Key, Rows]]:
    """The official ground truth of the images that were run, and their detections in its terms.

    Raises:
        InputError: none of the images is WIDER FACE's.
    """
    by_key = {tuple(name.rsplit(".", 1)[0].rsplit("/", 2)[-2:]): one.found for name, one in found.items()}
    present = [image for image in truth if (image.event, image.name) in by_key]
    if not present:
        raise InputError(
            "the WIDER FACE ground truth knows none of the images; names must end in EVENT/IMAGE.jpg"
        )
    return present, {(image.event, image.name): _rows(by_key[image.event, image.name]) for image in present}


def _rows(found: Detections) -> Rows:
    boxes = found.boxes_xyxy.astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2], found.scores[:, None]], axis=1)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
