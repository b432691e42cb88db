"""Offsets from square anchors in units of their side: SSD, RetinaFace, Ultra-Light, BlazeFace.

Source: SSD (Liu et al., 2016), section 2.2, with the variances of its published code. Variant
"plain": sizes are coded like centres, not as logarithms (BlazeFace: variances 1, anchors of 1 pixel).
"""

from __future__ import annotations

import numpy as np

from model.geometry.anchors import anchors
from model.geometry.boxes import decode_boxes, decode_landmarks
from model.geometry.decoders import Decoder, Floats, Index, behind_background, variant_of
from model.geometry.spec import DetectorSpec


def _boxes(rows: Floats, index: Index, spec: DetectorSpec) -> Floats:
    anchor = anchors(spec)[index]
    if variant_of(spec) == "logarithm":
        return decode_boxes(rows, anchor, spec.variances)
    centre = anchor[:, :2] + rows[:, :2] * np.float32(spec.variances[0]) * anchor[:, 2:]
    half = rows[:, 2:] * np.float32(spec.variances[1]) * anchor[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def _landmarks(rows: Floats, _boxes_xyxy: Floats, index: Index, spec: DetectorSpec) -> Floats:
    return decode_landmarks(rows, anchors(spec)[index], spec.variances)


DECODER = Decoder(behind_background, _boxes, _landmarks, ("logarithm", "plain"))
