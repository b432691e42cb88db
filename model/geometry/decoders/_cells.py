"""The cells of all levels, for decoders that count from a cell's corner."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from model.geometry.decoders import Floats
from model.geometry.spec import DetectorSpec


@lru_cache(maxsize=16)
def cells(spec: DetectorSpec) -> Floats:
    """Corner (x, y) in pixels and stride of every candidate's cell: float32 [N, 3], read-only."""
    levels = []
    for stride, sizes in zip(spec.strides, spec.anchor_sizes, strict=True):
        y, x, _ = np.meshgrid(
            np.arange(spec.input_height // stride, dtype=np.float32) * stride,
            np.arange(spec.input_width // stride, dtype=np.float32) * stride,
            np.arange(len(sizes)),
            indexing="ij",
        )
        levels.append(np.stack([x, y, np.full_like(x, stride)], axis=-1).reshape(-1, 3))
    result = np.concatenate(levels)
    result.setflags(write=False)
    return result
