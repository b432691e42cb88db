"""Centre as an offset from the cell's corner, size as an exponent, both in strides; a score from two.

Scores are (objectness, classes ...): YuNet takes the geometric mean of objectness and class, YOLOX the
product. A single channel is the score itself.

Source: YuNet (Wu et al., 2023; OpenCV's FaceDetectorYN), YOLOX (Ge et al., 2021; `decode_outputs`).
"""

from __future__ import annotations

import numpy as np

from model.geometry.anchors import cells
from model.geometry.boxes import MAX_LOG_SIZE
from model.geometry.decoders import Decoder, Floats, Index, product, split_scores, variant_of
from model.geometry.spec import DetectorSpec


def _classes(scores: Floats, spec: DetectorSpec) -> Floats:
    objectness, classes = split_scores(scores, spec, ahead=scores.shape[1] > 1)
    if objectness is None:
        return classes
    both = product(objectness, classes)
    return np.asarray(np.sqrt(both) if variant_of(spec) == "geometric" else both, np.float32)


def _boxes(rows: Floats, index: Index, spec: DetectorSpec) -> Floats:
    cell = cells(spec)[index]
    centre = cell[:, :2] + rows[:, :2] * cell[:, 2:]
    half = np.exp(np.minimum(rows[:, 2:], MAX_LOG_SIZE)) * cell[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def _landmarks(rows: Floats, _boxes_xyxy: Floats, index: Index, spec: DetectorSpec) -> Floats:
    cell = cells(spec)[index]
    points = rows.reshape(len(rows), rows.shape[1] // 2, 2)
    return np.asarray(cell[:, None, :2] + points * cell[:, None, 2:], np.float32)


DECODER = Decoder(_classes, _boxes, _landmarks, ("geometric", "product"))
