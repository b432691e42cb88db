"""RetinaFace with MobileNetV1 x0.25; module names are those of the published checkpoint.

Source: Deng et al., RetinaFace, CVPR 2020; structure of biubug6's Face-Detector-1MB-with-landmark,
whose published weights want a plain ReLU everywhere (Pytorch_Retinaface has LeakyReLU 0.1 there).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.layers.blocks import MobileNetV1, SoftmaxHeads, conv_bn
from model.layers.channel_groups import mobilenet_groups
from model.networks import Network

WIDTH = 64


class RetinaFace(SoftmaxHeads):
    """MobileNetV1 x0.25, feature pyramid of width 64, SSH context heads: 426,608 parameters."""

    def __init__(self) -> None:
        super().__init__(WIDTH)
        self.body = MobileNetV1(slope=0.0)
        self.fpn = _FeaturePyramid()
        self.ssh1, self.ssh2, self.ssh3 = (_Context() for _ in range(3))

    def features(self, pixels: Tensor) -> list[Tensor]:
        levels = self.fpn(*self.body(pixels))
        return [context(x) for context, x in zip((self.ssh1, self.ssh2, self.ssh3), levels, strict=True)]


def _conv_relu(inputs: int, outputs: int, kernel: int = 1) -> nn.Sequential:
    return nn.Sequential(*conv_bn(inputs, outputs, kernel), nn.ReLU())


class _FeaturePyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = (_conv_relu(c, WIDTH) for c in (64, 128, 256))
        self.merge1, self.merge2 = _conv_relu(WIDTH, WIDTH, 3), _conv_relu(WIDTH, WIDTH, 3)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        p5 = self.output3(c5)
        p4 = self.merge2(self.output2(c4) + F.interpolate(p5, scale_factor=2.0, mode="nearest"))
        p3 = self.merge1(self.output1(c3) + F.interpolate(p4, scale_factor=2.0, mode="nearest"))
        return p3, p4, p5


class _Context(nn.Module):
    """SSH: branches of 3x3, 5x5 and 7x7 reach, joined. Source: Najibi et al., SSH, ICCV 2017."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = WIDTH // 2, WIDTH // 4
        self.conv3X3 = nn.Sequential(*conv_bn(WIDTH, half, 3))
        self.conv5X5_1 = _conv_relu(WIDTH, quarter, 3)
        self.conv5X5_2 = nn.Sequential(*conv_bn(quarter, quarter, 3))
        self.conv7X7_2 = _conv_relu(quarter, quarter, 3)
        self.conv7x7_3 = nn.Sequential(*conv_bn(quarter, quarter, 3))

    def forward(self, x: Tensor) -> Tensor:
        shared = self.conv5X5_1(x)
        seven = self.conv7x7_3(self.conv7X7_2(shared))
        # relu(concat) of the original, branch by branch: there it fuses with the convolution.
        return torch.cat([F.relu(y) for y in (self.conv3X3(x), self.conv5X5_2(shared), seven)], dim=1)


NETWORK = Network(
    RetinaFace,
    # Face-Detector-1MB's anchors: with RetinaFace's own (16 to 512) this checkpoint finds nothing.
    {"anchor_sizes": ((10, 20), (32, 64), (128, 256))},
    {
        "backbone": ("body.",),
        "neck": ("fpn.",),
        "context": ("ssh",),
        "heads": ("ClassHead.", "BboxHead.", "LandmarkHead."),
    },
    channel_groups=lambda: mobilenet_groups(slope=0.0),
)
