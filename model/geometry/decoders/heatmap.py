"""A map of face centres: a cell that is no peak of its 3x3 neighbourhood is no face. CenterNet, CenterFace.

Boxes are (offset y, offset x, log height, log width) of the cell's corner and stride in CenterFace (variant
"yx_logarithm"), (offset x, offset y, width, height) in cells in CenterNet ("xy_plain").

Source: CenterNet (Zhou et al., 2019), section 4; CenterFace (Xu et al., 2020; its published decoder).
"""

from __future__ import annotations

import numpy as np

from model.geometry.anchors import cells
from model.geometry.boxes import MAX_LOG_SIZE
from model.geometry.decoders import Decoder, Floats, Index, behind_background, variant_of
from model.geometry.spec import DetectorSpec


def _classes(scores: Floats, spec: DetectorSpec) -> Floats:
    """Each class's map with its peaks; 0 elsewhere."""
    classes, kept, start = behind_background(scores, spec), [], 0
    for stride, sizes in zip(spec.strides, spec.anchor_sizes, strict=True):
        height, width = spec.input_height // stride, spec.input_width // stride
        maps = classes[start : start + height * width * len(sizes)].reshape(height, width, -1)
        start += height * width * len(sizes)
        framed = np.pad(maps, ((1, 1), (1, 1), (0, 0)), constant_values=-1)
        around = [framed[y : y + height, x : x + width] for y in range(3) for x in range(3)]
        peaks = np.where(maps >= np.max(around, axis=0), maps, 0)
        kept.append(peaks.reshape(-1, classes.shape[1]))
    return np.concatenate(kept).astype(np.float32)


def _boxes(rows: Floats, index: Index, spec: DetectorSpec) -> Floats:
    cell = cells(spec)[index]
    if variant_of(spec) == "yx_logarithm":
        offset, size = rows[:, 1::-1] + np.float32(0.5), np.exp(np.minimum(rows[:, :1:-1], MAX_LOG_SIZE))
    else:
        offset, size = rows[:, :2], rows[:, 2:]
    centre = cell[:, :2] + offset * cell[:, 2:]
    half = size * cell[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def _landmarks(rows: Floats, boxes_xyxy: Floats, index: Index, spec: DetectorSpec) -> Floats:
    points = rows.reshape(len(rows), rows.shape[1] // 2, 2)
    if variant_of(spec) == "yx_logarithm":
        # CenterFace counts from the box's corner in shares of the box.
        corner, size = boxes_xyxy[:, None, :2], (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])[:, None]
        return np.asarray(corner + points[..., ::-1] * size, np.float32)
    cell = cells(spec)[index]
    return np.asarray(cell[:, None, :2] + points * cell[:, None, 2:], np.float32)


DECODER = Decoder(_classes, _boxes, _landmarks, ("yx_logarithm", "xy_plain"))
