"""Where a detector's candidates stand: the cells of its levels, and the anchors in them. NumPy only."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.geometry.spec import DetectorSpec


@lru_cache(maxsize=16)
def cells(spec: DetectorSpec) -> NDArray[np.float32]:
    """Every candidate's cell: levels in the order of the strides, cells row by row, anchors fastest.

    Returns:
        float32 [N, 3], each row (x, y, stride): the cell's upper left corner and its side in pixels of the
        network's input; read-only, because it is shared between callers.
    """
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


@lru_cache(maxsize=16)
def anchors(spec: DetectorSpec) -> NDArray[np.float32]:
    """The square anchor of every candidate, in the middle of its cell.

    Returns:
        float32 [N, 4], each row (centre x, centre y, width, height) in pixels of the network's input, in
        the order of `cells`; read-only, because it is shared between callers.

    Source: featherface_v1 prior boxes (RetinaFace's PriorBox without its division by the size).
    """
    cell = cells(spec)
    sides = [
        np.tile(np.asarray(sizes, np.float32), int((cell[:, 2] == stride).sum()) // len(sizes))
        for stride, sizes in zip(spec.strides, spec.anchor_sizes, strict=True)
    ]
    side = np.concatenate(sides)[:, None]
    result = np.concatenate([cell[:, :2] + cell[:, 2:] / 2, side, side], axis=1)
    result.setflags(write=False)
    return result
