"""Boxes that the network has decoded already, in pixels of its input or as shares of it.

Variants: "centre_size" (x, y, width, height: YOLOv8), "corners" (x_min, y_min, x_max, y_max), and the
same two with "_shares", whose unit is the input's side. Landmarks are in the same unit. Scores are a
column a class, behind the objectness where the spec names one (YOLOv5).

Source: Ultralytics' exported detection head, [1, 4 + C, N].
"""

from __future__ import annotations

import numpy as np

from model.geometry.decoders import Decoder, Floats, Index, certain, variant_of
from model.geometry.spec import DetectorSpec


def _unit(spec: DetectorSpec) -> Floats:
    """What one unit of x and y is in pixels."""
    shares = variant_of(spec).endswith("_shares")
    return np.array([spec.input_width, spec.input_height] if shares else [1, 1], np.float32)


def _classes(scores: Floats, spec: DetectorSpec) -> Floats:
    return certain(scores, spec, ahead=False)


def _boxes(rows: Floats, _: Index, spec: DetectorSpec) -> Floats:
    first, second = rows[:, :2] * _unit(spec), rows[:, 2:] * _unit(spec)
    if variant_of(spec).startswith("corners"):
        return np.concatenate([first, second], axis=1).astype(np.float32)
    return np.concatenate([first - second / 2, first + second / 2], axis=1).astype(np.float32)


def _landmarks(rows: Floats, _boxes_xyxy: Floats, _: Index, spec: DetectorSpec) -> Floats:
    return np.asarray(rows.reshape(len(rows), rows.shape[1] // 2, 2) * _unit(spec), np.float32)


DECODER = Decoder(
    _classes, _boxes, _landmarks, ("centre_size", "corners", "centre_size_shares", "corners_shares")
)
