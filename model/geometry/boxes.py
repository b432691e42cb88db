"""Offsets <-> boxes, overlap, non-maximum suppression, raw outputs -> detections. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec

Floats = NDArray[np.float32]
Index = NDArray[np.intp]

MAX_LOG_SIZE = 8.0
"""Largest exponent of a decoded size: e^8 times the anchor is larger than any image, and finite."""

MIRRORED_POINTS = np.array([1, 0, 2, 4, 3])
"""Left and right eye and mouth corner change places in a mirror."""


@dataclass(frozen=True)
class Detections:
    """Faces in one image, best score first.

    Attributes:
        boxes_xyxy: float32 [K, 4], each row (x_min, y_min, x_max, y_max) in pixels.
        scores: float32 [K], probability of a face.
        landmarks: float32 [K, P, 2], (x, y) in pixels; of five points left eye, right eye, nose, left and
            right mouth corner, as they appear in the image. P is 0 for a detector without landmarks.
        classes: intp [K], place of each one's class in the spec's `class_names`; 0 where nothing is said.
    """

    boxes_xyxy: Floats
    scores: Floats
    landmarks: Floats
    classes: Index = None  # type: ignore[assignment]  # zeros, once it is known how many

    def __post_init__(self) -> None:
        if self.classes is None:
            object.__setattr__(self, "classes", np.zeros(len(self.scores), np.intp))

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> Detections:
        """The detections whose score is greater than `score`."""
        return self[self.scores > score]

    def __getitem__(self, keep: Index | NDArray[np.bool_]) -> Detections:
        """Some of the detections, by their numbers or by a mask."""
        return Detections(self.boxes_xyxy[keep], self.scores[keep], self.landmarks[keep], self.classes[keep])


def decode_boxes(offsets: Floats, anchor: Floats, variances: tuple[float, float]) -> Floats:
    """Offsets [N, 4] (dx, dy, log dw, log dh) at anchors [N, 4] -> boxes_xyxy [N, 4] in pixels.

    Source: SSD (Liu et al., 2016), section 2.2, with the variances of its published code.
    """
    centre = anchor[:, :2] + offsets[:, :2] * np.float32(variances[0]) * anchor[:, 2:]
    size = anchor[:, 2:] * np.exp(np.minimum(offsets[:, 2:] * np.float32(variances[1]), MAX_LOG_SIZE))
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(np.float32)


def decode_landmarks(offsets: Floats, anchor: Floats, variances: tuple[float, float]) -> Floats:
    """Offsets [N, 2 P] (x, y of P points) at anchors [N, 4] -> points [N, P, 2] in pixels."""
    points = offsets.reshape(len(offsets), offsets.shape[1] // 2, 2)
    return (anchor[:, None, :2] + points * np.float32(variances[0]) * anchor[:, None, 2:]).astype(np.float32)


def iou_matrix(first_xyxy: Floats, second_xyxy: Floats) -> Floats:
    """Intersection over union of boxes [A, 4] with boxes [B, 4] -> [A, B]; 0 where both are empty."""
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = _area(first_xyxy)[:, None] + _area(second_xyxy)[None] - shared
    return np.asarray(np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0), np.float32)


def _area(boxes_xyxy: Floats) -> Floats:
    size = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None)
    return np.asarray(size[:, 0] * size[:, 1])


def nms(boxes_xyxy: Floats, scores: Floats, iou: float, keep: int, classes: Index | None = None) -> Index:
    """Greedy non-maximum suppression, each class for itself.

    Args:
        boxes_xyxy: [N, 4] in pixels.
        scores: [N]; among equal scores the lower index wins, so the result is reproducible.
        iou: A box that overlaps a kept one by more than this is dropped.
        keep: At most this many boxes are kept.
        classes: [N]; one for all if None.

    Returns:
        Indices of the kept boxes, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    # One row a coordinate, best first, and the areas once: several times faster than `iou_matrix` a box.
    best = boxes_xyxy[order]
    kinds = np.zeros(len(order), best.dtype) if classes is None else classes[order].astype(best.dtype)
    rows = np.ascontiguousarray(np.vstack([best.T, _area(best), kinds]))
    kept: list[int] = []
    while len(order) and len(kept) < keep:
        kept.append(int(order[0]))
        left, top, right, bottom, area, kind = rows[:, 0]
        order, rows = order[1:], rows[:, 1:]
        width = np.minimum(rows[2], right) - np.maximum(rows[0], left)
        height = np.minimum(rows[3], bottom) - np.maximum(rows[1], top)
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        union = np.maximum(area + rows[4] - shared, np.finfo(np.float32).tiny)  # empty boxes overlap nothing
        apart = (shared / union <= iou) | (rows[5] != kind)
        order, rows = order[apart], rows[:, apart]
    return np.asarray(kept, np.intp)


def detect(
    boxes: Floats, scores: Floats, landmarks: Floats, spec: DetectorSpec, score_threshold: float | None = None
) -> Detections:
    """Turn a network's three raw outputs for one image into detections in pixels of its input.

    Args:
        boxes: [1, N, 4] or [N, 4] rows as the spec's decoder reads them.
        scores: [1, N, C] or [N, C] probabilities.
        landmarks: [1, N, 2 P] or [N, 2 P].
        spec: Says the decoder, its geometry and the limits of the suppression.
        score_threshold: Replaces the spec's default.

    Raises:
        InputError: a shape contradicts the spec, or an output is not finite.
    """
    from model.geometry.decoders import decoder_of

    outputs = []
    for name, array, shape in zip(
        spec.output_names, (boxes, scores, landmarks), spec.output_shapes, strict=True
    ):
        if array.size != shape[1] * shape[2] or array.shape[-1] != shape[2]:
            raise InputError(f"output {name}: the spec expects {list(shape)}, found {list(array.shape)}")
        flat = np.asarray(array, np.float32).reshape(shape[1:])
        if not np.isfinite(flat).all():
            raise InputError(f"output {name} holds NaN or infinite values")
        outputs.append(flat)
    decoder = decoder_of(spec)
    probabilities = decoder.classes(outputs[1], spec)
    face, kinds = probabilities.max(axis=1), probabilities.argmax(axis=1)
    candidates = np.flatnonzero(face > (spec.score_threshold if score_threshold is None else score_threshold))
    order = np.argsort(-face[candidates], kind="stable")[: spec.pre_nms_top_k]
    candidates = candidates[order]
    boxes_xyxy = decoder.boxes(outputs[0][candidates], candidates, spec)
    kept = nms(boxes_xyxy, face[candidates], spec.nms_iou, spec.max_detections, kinds[candidates])
    candidates, boxes_xyxy = candidates[kept], boxes_xyxy[kept]
    points = decoder.landmarks(outputs[2][candidates], boxes_xyxy, candidates, spec)
    return Detections(boxes_xyxy, face[candidates], points, kinds[candidates])
