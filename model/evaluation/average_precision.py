"""How well detections agree with labelled faces: matching, precision and recall, AP. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.geometry.boxes import Detections, iou_matrix

Floats = NDArray[np.float64]

SCORE_FLOOR = 0.02
"""Detections below this score are not evaluated. Source: FeatherFace and RetinaFace evaluation code."""

COCO_IOUS: tuple[float, ...] = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Overlaps averaged by AP 0.5:0.95. Source: Lin et al., Microsoft COCO, 2014, and its evaluation code."""

HEIGHT_BANDS: tuple[tuple[str, float, float], ...] = (
    ("under 16", 0.0, 16.0),
    ("16-32", 16.0, 32.0),
    ("32-64", 32.0, 64.0),
    ("over 64", 64.0, float("inf")),
)
"""Name, smallest height (inclusive) and largest height (exclusive) in pixels of the network's input."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The labelled faces of one image.

    Attributes:
        boxes_xyxy: float32 [K, 4] in pixels, in the same frame as the detections.
        ignore: bool [K]; a face that may be found but need not be: neither a hit, a false alarm nor a miss.
        input_scale: Pixels of the network's input per pixel of the boxes.
        classes: intp [K], as those of the detections; zeros unless said.
    """

    boxes_xyxy: NDArray[np.float32]
    ignore: NDArray[np.bool_]
    input_scale: float = 1.0
    classes: NDArray[np.intp] = None  # type: ignore[assignment]  # zeros, once it is known how many

    def __post_init__(self) -> None:
        if self.classes is None:
            object.__setattr__(self, "classes", np.zeros(len(self.boxes_xyxy), np.intp))

    @classmethod
    def of(
        cls,
        boxes_xyxy: NDArray[np.float32],
        ignore: NDArray[np.bool_] | None = None,
        input_scale: float = 1.0,
        classes: NDArray[np.intp] | None = None,
    ) -> Truth:
        """Truth from boxes [K, 4], none ignored and all of one class unless said."""
        boxes = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4)
        flags = np.zeros(len(boxes), bool) if ignore is None else np.asarray(ignore, bool)
        kinds = np.zeros(len(boxes), np.intp) if classes is None else classes
        return cls(boxes, flags, input_scale, kinds)

    @property
    def heights(self) -> NDArray[np.float32]:
        """float32 [K], height of each face in pixels of the network's input."""
        return _heights(self.boxes_xyxy, self.input_scale)

    def within(self, low: float, high: float) -> Truth:
        """The same faces, those with a height outside [low, high) pixels of the input ignored."""
        inside = (self.heights >= low) & (self.heights < high)
        return replace(self, ignore=self.ignore | ~inside)


def _heights(boxes_xyxy: NDArray[np.float32], input_scale: float) -> NDArray[np.float32]:
    return np.asarray((boxes_xyxy[:, 3] - boxes_xyxy[:, 1]) * np.float32(input_scale))


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision and recall at every distinct score, highest score first.

    Attributes:
        scores, precision, recall: float64 [D]; row i counts all detections with score >= scores[i].
    """

    scores: Floats
    precision: Floats
    recall: Floats

    def average_precision(self) -> float:
        """Area under the precision envelope over all points; NaN when there is no face.

        Source: Everingham et al., The PASCAL VOC Challenge, 2010, section 4.2, as the development kit
        of 2010 and later computes it.
        """
        if len(self.recall) and np.isnan(self.recall[-1]):
            return float("nan")
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float(np.sum(np.diff(self.recall, prepend=0.0) * envelope))


@dataclass(frozen=True, eq=False)
class Matched:
    """All detections of a set, matched with its faces at several overlaps and sorted by score.

    Attributes:
        ious: T overlaps at which a detection counts as a hit.
        scores: float64 [D], highest first.
        image: intp [D], index of each detection's image.
        height: float64 [D], height of each detection in pixels of the network's input.
        hit: bool [T, D], the detection is the first on its face.
        counted: bool [T, D]; False where the detection lies on an ignored face.
        kind: intp [D], class of each detection.
        face_image: intp [F], index of the image of each face that is not ignored.
        face_height: float64 [F] in pixels of the network's input.
        face_score: float64 [T, F], score with which each face was found; -inf where it was missed.
        face_kind: intp [F], class of each face.
        images: Number of images, with and without faces.
    """

    ious: tuple[float, ...]
    scores: Floats
    image: NDArray[np.intp]
    height: Floats
    hit: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    kind: NDArray[np.intp]
    face_image: NDArray[np.intp]
    face_height: Floats
    face_score: Floats
    face_kind: NDArray[np.intp]
    images: int

    @cached_property
    def by_class(self) -> dict[int, Matched]:
        """Each class that is labelled -> what is of it; all under 0 where no face is."""
        kinds = np.unique(self.face_kind).tolist()
        return {kind: self.of_class(kind) for kind in kinds} if len(kinds) > 1 else {sum(kinds): self}

    def of_class(self, kind: int) -> Matched:
        """Detections and faces of one class."""
        found, faces = self.kind == kind, self.face_kind == kind
        return replace(
            self,
            scores=self.scores[found],
            image=self.image[found],
            height=self.height[found],
            hit=self.hit[:, found],
            counted=self.counted[:, found],
            kind=self.kind[found],
            face_image=self.face_image[faces],
            face_height=self.face_height[faces],
            face_score=self.face_score[:, faces],
            face_kind=self.face_kind[faces],
        )

    def curve(self, iou: float = 0.5, weights: NDArray[np.int64] | None = None) -> Curve:
        """Precision and recall at one overlap, of all classes together.

        Equal scores are one point of the curve: an integer model has 256 scores at most, and the
        order among its ties must not decide its figure.

        Args:
            iou: One of `ious`.
            weights: int [images], how often each image counts (a bootstrap sample); all once if None.
        """
        row = self.ious.index(iou)
        each = np.ones(self.images, np.int64) if weights is None else weights
        weight = each[self.image] * self.counted[row]
        hits = np.cumsum(weight * self.hit[row])
        all_ = np.cumsum(weight)
        faces = int(each[self.face_image].sum())
        last = np.flatnonzero(np.diff(self.scores, append=-np.inf))
        hits, all_ = hits[last], all_[last]
        precision = np.divide(hits, all_, out=np.ones(len(last)), where=all_ > 0)
        recall = hits / faces if faces else np.full(len(last), np.nan)
        return Curve(self.scores[last], precision, recall)

    def average_precision(self, iou: float = 0.5, weights: NDArray[np.int64] | None = None) -> float:
        """All-point average precision at one overlap, the mean over the classes; NaN when no face counts."""
        if len(self.by_class) > 1:
            each_class = [one.average_precision(iou, weights) for one in self.by_class.values()]
            known = [one for one in each_class if not np.isnan(one)]
            return float(np.mean(known)) if known else float("nan")
        each = self.face_image if weights is None else weights[self.face_image]
        if not len(self.face_image) or (weights is not None and not each.any()):
            return float("nan")
        return self.curve(iou, weights).average_precision()

    def mean_average_precision(self, weights: NDArray[np.int64] | None = None) -> float:
        """Mean of the average precision over all `ious` (AP 0.5:0.95 with COCO_IOUS)."""
        return float(np.mean([self.average_precision(iou, weights) for iou in self.ious]))

    def recall_by_height(self, iou: float = 0.5, score: float = SCORE_FLOOR) -> dict[str, HeightRecall]:
        """Faces of each height found with a score of at least `score`, by the names of HEIGHT_BANDS."""
        found = self.face_score[self.ious.index(iou)] >= score
        result = {}
        for name, low, high in HEIGHT_BANDS:
            inside = (self.face_height >= low) & (self.face_height < high)
            result[name] = HeightRecall(int(inside.sum()), int((found & inside).sum()))
        return result

    def within(self, low: float, high: float) -> Matched:
        """The same, false alarms with a height outside [low, high) pixels of the input left out.

        Together with `Truth.within` this gives the figures of one band of heights, as COCO's evaluation
        gives those of one band of areas.
        """
        inside = (self.height >= low) & (self.height < high)
        return replace(self, counted=self.counted & (self.hit | inside))


@dataclass(frozen=True)
class HeightRecall:
    """Faces of one height band, and how many of them were found."""

    faces: int
    found: int

    @property
    def recall(self) -> float | None:
        """Share that was found; None where there is no face of this height."""
        return self.found / self.faces if self.faces else None


def match(found: Sequence[Detections], truth: Sequence[Truth], ious: tuple[float, ...] = (0.5,)) -> Matched:
    """Match the detections of each image with its faces of the same class, greedily, best score first.

    A detection belongs to the face it overlaps most; the first on a face is a hit, later ones are
    false alarms. One that hits no face but overlaps an ignored face enough is not counted at all.
    Detections of a class that is labelled in no image are left out.

    Args:
        found: Detections of each image.
        truth: Faces of each image, in the same order and frame.
        ious: Overlaps from which on a detection belongs to a face.

    Raises:
        ValueError: the lists differ in length.
    """
    labelled = np.unique(_joined([faces.classes for faces in truth], np.empty(0)))
    if len(labelled):
        found = [one[np.isin(one.classes, labelled)] for one in found]
    parts = [_match_image(one, faces, ious) for one, faces in zip(found, truth, strict=True)]
    scores = _joined([one.scores[_by_score(one)] for one in found], np.empty(0)).astype(np.float64)
    order = np.argsort(-scores, kind="stable")
    kept = [~faces.ignore for faces in truth]
    face_heights = [faces.heights[keep] for faces, keep in zip(truth, kept, strict=True)]
    heights = [
        _heights(one.boxes_xyxy, faces.input_scale)[_by_score(one)]
        for one, faces in zip(found, truth, strict=True)
    ]
    empty = np.empty((len(ious), 0))
    return Matched(
        ious=ious,
        scores=scores[order],
        image=np.repeat(np.arange(len(found)), [len(one) for one in found])[order],
        height=_joined(heights, np.empty(0)).astype(np.float64)[order],
        hit=_joined([part[0] for part in parts], empty).astype(bool)[:, order],
        counted=_joined([part[1] for part in parts], empty).astype(bool)[:, order],
        kind=_joined([one.classes[_by_score(one)] for one in found], np.empty(0)).astype(np.intp)[order],
        face_image=np.repeat(np.arange(len(truth)), [int(keep.sum()) for keep in kept]),
        face_height=_joined(face_heights, np.empty(0)).astype(np.float64),
        face_score=_joined([part[2] for part in parts], empty),
        face_kind=_joined(
            [faces.classes[keep] for faces, keep in zip(truth, kept, strict=True)], np.empty(0)
        ).astype(np.intp),
        images=len(truth),
    )


def _by_score(found: Detections) -> NDArray[np.intp]:
    return np.argsort(-found.scores, kind="stable")


def _joined(parts: Sequence[NDArray[Any]], empty: Floats) -> NDArray[Any]:
    return np.concatenate(parts, axis=-1) if parts else empty


_ImageMatch = tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]


def _match_image(found: Detections, truth: Truth, ious: tuple[float, ...]) -> _ImageMatch:
    """Hits [T, D] and counted [T, D] in the order of falling scores, and each counted face's score [T, F]."""
    order = _by_score(found)
    scores = found.scores[order].astype(np.float64)
    overlap = iou_matrix(found.boxes_xyxy[order], truth.boxes_xyxy)
    overlap[found.classes[order][:, None] != truth.classes[None]] = 0
    real, ignored = overlap[:, ~truth.ignore], overlap[:, truth.ignore]
    hit = np.zeros((len(ious), len(order)), bool)
    face_score = np.full((len(ious), real.shape[1]), -np.inf)
    on_ignored = ignored.max(axis=1, initial=0.0)
    best = real.argmax(axis=1) if real.shape[1] else np.zeros(len(order), np.intp)
    best_overlap = real.max(axis=1, initial=0.0)
    for row, iou in enumerate(ious):
        for index in np.flatnonzero(best_overlap >= iou):
            if np.isneginf(face_score[row, best[index]]):
                face_score[row, best[index]] = scores[index]
                hit[row, index] = True
    counted = hit | (on_ignored[None] < np.asarray(ious)[:, None])
    return hit, counted, face_score
