"""Anchor boxes of a detector, NumPy only."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.geometry.spec import DetectorSpec


@lru_cache(maxsize=16)
def anchors(spec: DetectorSpec) -> NDArray[np.float32]:
    """All anchors of a spec: levels in the order of its strides, cells row by row, sizes fastest.

    Returns:
        float32 [N, 4], each row (centre x, centre y, width, height) in pixels of the network's
        input; read-only, because it is shared between callers.

    Source: featherface_v1 prior boxes (RetinaFace's PriorBox without its division by the size).
    """
    levels = []
    for stride, sizes in zip(spec.strides, spec.anchor_sizes, strict=True):
        y, x, size = np.meshgrid(
            (np.arange(spec.input_height // stride, dtype=np.float32) + 0.5) * stride,
            (np.arange(spec.input_width // stride, dtype=np.float32) + 0.5) * stride,
            np.asarray(sizes, np.float32),
            indexing="ij",
        )
        levels.append(np.stack([x, y, size, size], axis=-1).reshape(-1, 4))
    result = np.concatenate(levels)
    result.setflags(write=False)
    return result
