"""The learned ranges: a scale for each group of activations that share one, and its fixed zero point."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from convert.flatbuffer import INPUT_NAME
from quantize.qat.placement import Bounds, Placement, scale_of, zero_point_of
from quantize.qat.run import HIGHEST, LOWEST


class Scales(nn.Module):
    """Scales and zero points of one integer file, computed from ranges as the quantizer computes them.

    What is learned is the logarithm of each scale; zero points keep the value of the first range, and the
    input's range stays 0..255.
    """

    def __init__(self, placement: Placement, bounds: Bounds) -> None:
        """Start from given ranges of all activations of the float file."""
        super().__init__()
        self.placement, self.first = placement, dict(bounds)
        self.owners = sorted(set(placement.owner.values()))
        self.number = {name: index for index, name in enumerate(self.owners)}
        self.zero_points = [zero_point_of(*bounds[name]) for name in self.owners]
        starts = [float(np.log(scale_of(*bounds[name]))) for name in self.owners]
        self.logarithm = nn.Parameter(torch.tensor(starts))

    def bounds_of(self, name: str) -> tuple[float, float]:
        """The range of an owner's scale, both ends in single precision."""
        index = self.number[name]
        if name == INPUT_NAME:
            return self.first[name]
        start = scale_of(*self.first[name])
        scale = np.exp(np.float32(self.logarithm[index].item()))
        if scale == np.exp(np.float32(np.log(start))):
            return self.first[name]  # never trained: the range as it was given
        low = np.float32(LOWEST - self.zero_points[index]) * scale
        high = np.float32(HIGHEST - self.zero_points[index]) * scale
        return float(low), float(high)

    def bounds(self) -> Bounds:
        """The present range of every activation of the float file, for the quantizer."""
        result = dict(self.first)
        for owner in self.owners:
            for name in self.placement.followers[owner]:
                result[name] = self.bounds_of(owner)
        return result

    def values(self) -> dict[int, tuple[Tensor, int]]:
        """Index of each integer activation of the file -> (scale, zero point)."""
        learned = self.logarithm.exp()
        each: dict[str, tuple[Tensor, int]] = {}
        for index, name in enumerate(self.owners):
            low, high = self.bounds_of(name)
            exact = torch.tensor(scale_of(low, high))
            through = exact if name == INPUT_NAME else learned[index] + (exact - learned[index]).detach()
            each[name] = through, zero_point_of(low, high)
        return {index: each[name] for index, name in self.placement.owner.items()}
