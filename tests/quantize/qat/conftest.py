"""The embedded network at 96x128 as an integer file, and its mirror."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model.layers.blocks import Outputs
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import prepared
from quantize.calibrate.meter import measure_ranges
from quantize.calibrate.ranges import Bounds
from quantize.qat.mirror import Mirror, Weights
from quantize.qat.scales import Placement, Scales, find_placement
from quantize.qat.trainee import Lesson
from quantize.recipe import Recipe, read_recipe
from tests.conftest import ROOT, Converted

INT8 = ROOT / "quantize" / "recipes" / "int8.json"


@dataclass(frozen=True, eq=False)
class Integers:
    """What post-training quantization makes of the converted file.

    Attributes:
        placement, bounds: Of the file.
        file: The integer TFLite file.
        mirror: Makes a fresh mirror, which a test may train.
    """

    recipe: Recipe
    placement: Placement
    bounds: Bounds
    file: Path
    mirror: Callable[[], Mirror]


@pytest.fixture(scope="session")
def integers(converted: Converted, tmp_path_factory: pytest.TempPathFactory) -> Integers:
    recipe = read_recipe(INT8)
    placement = find_placement(converted.float32, recipe)
    bounds = prepared(measure_ranges(converted.float32, converted.photographs), "min_max", converted.float32)
    file = tmp_path_factory.mktemp("integers") / "int8.tflite"
    apply_recipe(recipe, converted.float32, bounds, file)
    return Integers(
        recipe,
        placement,
        bounds,
        file,
        lambda: Mirror(placement, Weights.of(placement), Scales(placement, bounds)),
    )


class FixedLessons:
    """Demo photographs with a face wanted at some anchors, the same for the same draw."""

    def __init__(self, converted: Converted, poison: int | None = None) -> None:
        self.converted, self.poison, self.asked = converted, poison, 0

    def __call__(self, draw: np.random.Generator, _side: int, _count: int) -> Lesson:
        """Two photographs; the poisoned one's cost is no number."""
        anchors = self.converted.spec.anchor_count
        chosen = draw.integers(len(self.converted.photographs), size=2)
        pixels = np.stack([self.converted.photographs[index] for index in chosen])
        face = torch.from_numpy((draw.random((2, anchors, 1)) < 0.02).astype(np.float32))
        offsets = torch.from_numpy(draw.normal(size=(2, anchors, 14)).astype(np.float32))
        if self.asked == self.poison:
            offsets[:] = torch.nan
        self.asked += 1

        def cost(outputs: Outputs) -> tuple[Tensor, Tensor, Tensor]:
            boxes, logits, landmarks = outputs
            missed = F.smooth_l1_loss(torch.cat([boxes, landmarks], -1), offsets, reduction="none") * face
            return (
                F.binary_cross_entropy_with_logits(logits[..., -1:], face, reduction="sum") / face.sum(),
                missed[..., :4].sum() / face.sum(),
                missed[..., 4:].sum() / face.sum(),
            )

        return Lesson(torch.from_numpy(pixels), cost)
