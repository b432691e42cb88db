"""The embedded network at 96x128 as an integer file, and its mirror."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model.foundation.artifact import Artifact
from model.geometry.outputs import logit_names
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Outputs
from model.runtime.flatbuffer import name_interface
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import prepared
from quantize.calibrate.meter import measure_ranges
from quantize.calibrate.ranges import Bounds
from quantize.qat.mirror.mirror import Mirror, Weights
from quantize.qat.mirror.run import NONE, RELU
from quantize.qat.mirror.scales import Placement, Scales, find_placement
from quantize.qat.trainee import Lesson
from quantize.recipe import Recipe, read_recipe
from tests.conftest import ROOT, Converted
from tests.small_tflite import SmallModel

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


SMALL = DetectorSpec(
    "small", 32, 32, "RGB", (0.0, 0.0, 0.0), strides=(8, 16), anchor_sizes=((8,), (16,)), score_channels=2,
    decoder="cell_sizes", points=0, boxes_from=("box_8.T", "box_16"), scores_from=("face_8", "face_16"),
    objectness_from=("thing_8", "thing_16"),
)  # fmt: skip


@pytest.fixture
def foreign(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Somebody's float file of two levels: two factors of a score, one output with channels before cells."""
    return _foreign(tmp_path, rng, SMALL)


@pytest.fixture
def foreign_logits(tmp_path: Path, rng: np.random.Generator) -> Path:
    """The same, whose scores of a face are logits."""
    logits = tuple(f"sigmoid({name})" for name in SMALL.scores_from)
    return _foreign(tmp_path, rng, replace(SMALL, scores_from=logits))


def _foreign(folder: Path, rng: np.random.Generator, spec: DetectorSpec) -> Path:
    small = SmallModel()
    image = small.tensor("image", "float32", [1, 32, 32, 3])
    level_8 = _conv(small, "stem", image, (8, 8), rng, RELU)
    level_16 = _conv(small, "down", level_8, (8, 2), rng, RELU)
    heads = []
    for stride, level in ((8, level_8), (16, level_16)):
        for role, channels in (("face", 1), ("thing", 1), ("box", 4)):
            name, rows = f"{role}_{stride}", (32 // stride) ** 2
            head = _conv(small, f"{name}/head", level, (channels, 1), rng)
            turned = name == "box_8"
            if role != "box" and name not in logit_names(spec):
                squashed = small.tensor(f"{name}/sigmoid", "float32", _shape(small, head))
                small.add("LOGISTIC", [head], [squashed])
                head = squashed
            shape = [1, channels, rows] if turned else [rows, channels]
            heads.append(small.tensor(name, "float32", shape))
            if turned:
                order = small.tensor(f"{name}/order", "float32", [1, channels, 4, 4])
                small.add(
                    "TRANSPOSE", [head, small.constant(f"{name}/axes", np.int32([0, 3, 1, 2]))], [order]
                )
                head = order
            small.add("RESHAPE", [head, small.constant(f"{name}/shape", np.int32(shape))], [heads[-1]])
    small.sign([image], [heads[place] for place in (2, 5, 0, 3, 1, 4)])  # as the spec's roles come
    name_interface(small.model, spec)
    weights, file = folder / "somebodys.onnx", folder / "small_32x32_float32.tflite"
    weights.write_bytes(b"theirs")
    small.write(file, [image], heads)
    Artifact.save(file, sources={"checkpoint": weights}, spec=spec.to_json())
    return file


def _shape(small: SmallModel, index: int) -> list[int]:
    return [int(side) for side in small.graph.tensors[index].shape]


def _conv(
    small: SmallModel,
    name: str,
    entry: int,
    size: tuple[int, int],
    rng: np.random.Generator,
    activation: int = NONE,
) -> int:
    """A convolution of `size` (channels, side of its window and stride)."""
    channels, side = size
    _, height, width, depth = _shape(small, entry)
    fan_in = side * side * depth
    gain = 1 / 128 if name == "stem" else 1.0
    weight = rng.normal(size=(channels, side, side, depth)).astype(np.float32) * gain / np.sqrt(fan_in)
    made = small.tensor(name, "float32", [1, height // side, width // side, channels])
    constants = (
        small.constant(f"{name}/weight", weight.astype(np.float32)),
        small.constant(f"{name}/bias", np.full(channels, 0.1, np.float32)),
    )
    small.add(
        "CONV_2D", [entry, *constants], [made], strideH=side, strideW=side, padding=1,
        fusedActivationFunction=activation,
    )  # fmt: skip
    return made


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
