"""The learned ranges: a scale for each group of activations that share one, and its fixed zero point."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor, nn

from model.runtime.flatbuffer import INPUT_NAME
from quantize.calibrate.clipping import Bounds
from quantize.qat.placement import Placement, scale_of, zero_point_of
from quantize.qat.run import HIGHEST, LOWEST


class Scales(nn.Module):
    """Scales and zero points of one integer file, computed from ranges as the quantizer computes them.

    What is learned is the logarithm of each scale; zero points keep the value of the first range, and the
    input's range stays 0..255. The scale of a mean, and of what is joined with it, follows that of what the
    mean is computed from, in the ratio of the first ranges: that keeps sums off ties
    (`quantize.calibrate.clipping.without_ties`).
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
        self.ratios = self._ratios()

    def _ratios(self) -> dict[str, tuple[str, float]]:
        """Owner of a mean's scale -> owner of its entry's scale, and the first scale over that one."""
        owner = self.placement.owner
        means = [operator for operator in self.placement.graph.operators if operator.kind == "MEAN"]
        sharing = Counter(owner.get(operator.outputs[0]) for operator in means)
        result = {}
        for operator in means:
            out, entry = owner.get(operator.outputs[0]), owner.get(operator.inputs[0])
            if out is not None and entry is not None and entry != out and sharing[out] == 1:
                first = [float(scale_of(*self.first[name])) for name in (out, entry)]
                result[out] = entry, first[0] / first[1]
        return result

    def bounds_of(self, name: str) -> tuple[float, float]:
        """The range of an owner's scale, both ends in single precision."""
        index = self.number[name]
        if name == INPUT_NAME:
            return self.first[name]
        scale = self._trained(name)
        if scale is None:
            return self.first[name]
        low = np.float32(LOWEST - self.zero_points[index]) * scale
        high = np.float32(HIGHEST - self.zero_points[index]) * scale
        return float(low), float(high)

    def _trained(self, name: str) -> np.float32 | None:
        """An owner's scale; None if it was never trained, so that its range is as it was given."""
        if name in self.ratios:
            entry, ratio = self.ratios[name]
            moved = self._trained(entry)
            return None if moved is None else np.float32(scale_of(*self.bounds_of(entry)) * ratio)
        start = scale_of(*self.first[name])
        scale = np.exp(np.float32(self.logarithm[self.number[name]].item()))
        return None if scale == np.exp(np.float32(np.log(start))) else scale

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
        for name in self.owners:
            low, high = self.bounds_of(name)
            exact = torch.tensor(scale_of(low, high))
            source, ratio = self.ratios.get(name, (name, 1.0))
            value = learned[self.number[source]] * ratio
            through = exact if name == INPUT_NAME else value + (exact - value).detach()
            each[name] = through, zero_point_of(low, high)
        return {index: each[name] for index, name in self.placement.owner.items()}
