"""A source of small batches, without any file."""

from __future__ import annotations

import torch

from model.training.batches import Batch


class SmallBatches:
    """Random pictures of 64 x 64 pixels with a face on one anchor; a function of the step."""

    def __init__(self, broken_from: int = 10**9) -> None:
        self.broken_from = broken_from

    def batch(self, step: int) -> Batch:
        draw = torch.Generator().manual_seed(step)
        count = 2 * (64 + 16 + 4)
        face = torch.zeros(2, count)
        face[:, step % count] = 1
        boxes = torch.randn(2, count, 4, generator=draw)
        if step >= self.broken_from:
            boxes = boxes * float("nan")
        return Batch(
            torch.randint(0, 256, (2, 64, 64, 3), generator=draw, dtype=torch.uint8),
            face,
            torch.ones(2, count),
            boxes,
            face.clone(),
            torch.randn(2, count, 10, generator=draw),
            face.clone(),
        )
