"""Distances from a point of the cell to the four sides, in strides: SCRFD (corner), FCOS (centre).

Where the spec names an objectness (FCOS: the centre-ness), a class's score is its product with it.

Source: SCRFD (Guo et al., 2021; its published `distance2bbox`), FCOS (Tian et al., 2019), equation 1.
"""

from __future__ import annotations

import numpy as np

from model.geometry.anchors import cells
from model.geometry.decoders import Decoder, Floats, Index, behind_background, variant_of
from model.geometry.spec import DetectorSpec


def _points(index: Index, spec: DetectorSpec) -> tuple[Floats, Floats]:
    """The cells' points [M, 2] in pixels, and their strides [M, 1]."""
    found = cells(spec)[index]
    inset = np.float32(0.5 if variant_of(spec) == "centre" else 0)
    return found[:, :2] + inset * found[:, 2:], found[:, 2:]


def _boxes(rows: Floats, index: Index, spec: DetectorSpec) -> Floats:
    point, stride = _points(index, spec)
    return np.concatenate([point - rows[:, :2] * stride, point + rows[:, 2:] * stride], axis=1)


def _landmarks(rows: Floats, _boxes_xyxy: Floats, index: Index, spec: DetectorSpec) -> Floats:
    point, stride = _points(index, spec)
    return np.asarray(
        point[:, None] + rows.reshape(len(rows), rows.shape[1] // 2, 2) * stride[:, None], np.float32
    )


DECODER = Decoder(behind_background, _boxes, _landmarks, ("corner", "centre"))
