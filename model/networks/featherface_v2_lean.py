"""FeatherFace V2 for slower processors: its neck and heads on a backbone that integer kernels are fast at.

A quarter fewer instructions; the same input, anchors and outputs. The first convolution makes 16 channels at
once, nothing else runs at half the input's size and nothing on fewer than 16 channels: kernels compute 8 at
the price of 16. Two blocks at stride 16 are left out, and of the attention the gate over places, which cost
as much as a block and earned nothing that short trainings could tell from noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from model.layers.channel_groups import Group, Reader
from model.networks import Network, featherface_v2
from model.networks.featherface_v2 import (
    WIDTH,
    ConvBn,
    FeatherFaceV2,
    Separable,
    conv_names,
    stage,
    within,
)

STAGES = (
    ((16, 32, 2), (32, 32, 1)),
    ((32, 64, 2), (64, 64, 1)),
    ((64, 128, 2), (128, 128, 1), (128, 128, 1), (128, 128, 1)),
    ((128, 256, 2), (256, 256, 1)),
)
"""Blocks at strides 4, 8, 16 and 32: input channels, output channels and stride of each."""


class Backbone(nn.Module):
    """Separable convolutions behind a dense one: maps of 64, 128 and 256 channels at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBn(3, STAGES[0][0][0], 3, 2)
        self.stage1, self.stage2, self.stage3, self.stage4 = (stage(*blocks) for blocks in STAGES)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        c3 = self.stage2(self.stage1(F.relu(self.stem(pixels))))
        c4 = self.stage3(c3)
        return [c3, c4, self.stage4(c4)]


class ChannelGate(nn.Module):
    """CBAM++'s first gate alone, for 256 levels: relu6(z) of the global mean, starting at 1."""

    def __init__(self, width: int, reduction: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, width // reduction, 1)
        self.excite = nn.Conv2d(width // reduction, width, 1)
        nn.init.normal_(self.excite.weight, std=0.01)
        nn.init.constant_(cast(Tensor, self.excite.bias), 1.0)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * F.relu6(self.excite(F.relu(self.squeeze(mean))))


class Context(nn.Module):
    """One separable convolution for all levels; a second one is the heads' tower."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = Separable(width, width)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        return self.layer.shared(levels)


def _channel_groups() -> list[Group]:
    return [*_backbone_groups(), *_neck_groups(), *_head_groups()]


def _backbone_groups() -> list[Group]:
    groups = []
    makers, lateral = conv_names("backbone.stem"), list[Reader]()
    for number, blocks in enumerate(STAGES, 1):
        for place, (inputs, _, _) in enumerate(blocks):
            block = f"backbone.stage{number}.{place}"
            groups.append(Group(inputs, (makers,), (Reader(f"{block}.depthwise.conv"), *lateral)))
            groups.append(within(block, inputs, slope=0.0))
            makers, lateral = conv_names(f"{block}.pointwise"), []
        lateral = [Reader(f"laterals.{number - 2}.conv")] if number > 1 else []
    return [*groups, Group(STAGES[-1][-1][1], (makers,), tuple(lateral))]


def _neck_groups() -> list[Group]:
    """Every map of the neck is a sum with another one, so that all share their factors."""
    cells = [f"fusion.{cell}.{part}" for cell in (0, 1) for part in ("up4", "up3", "down4", "down5")]
    gates = [f"attention.{level}" for level in range(3)]
    makers = [f"laterals.{level}" for level in range(3)] + [f"{cell}.pointwise" for cell in cells]
    readers = [f"{cell}.depthwise.conv" for cell in cells] + [f"{gate}.squeeze" for gate in gates]
    return [
        Group(
            WIDTH,
            tuple(conv_names(name) for name in makers),
            tuple(Reader(name) for name in (*readers, "context.layer.depthwise.conv")),
        ),
        *(within(cell, WIDTH) for cell in cells),
        *(Group(WIDTH // 4, ((f"{gate}.squeeze", ""),), (Reader(f"{gate}.excite"),)) for gate in gates),
    ]


def _head_groups() -> list[Group]:
    outputs = tuple(Reader(f"heads.{name}") for name in ("boxes", "scores", "landmarks"))
    return [
        within("context.layer", WIDTH),
        Group(WIDTH, (conv_names("context.layer.pointwise"),), (Reader("heads.tower.depthwise.conv"),)),
        within("heads.tower", WIDTH),
        Group(WIDTH, (conv_names("heads.tower.pointwise"),), outputs),
    ]


NETWORK = Network(
    partial(FeatherFaceV2, Backbone, ChannelGate, Context),
    featherface_v2.NETWORK.conventions,
    featherface_v2.NETWORK.parts,
    channel_groups=_channel_groups,
)
