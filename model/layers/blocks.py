"""Building blocks that V1 and RetinaFace share. Module names follow the published checkpoints' keys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

Outputs = tuple[Tensor, Tensor, Tensor]
"""boxes [B, N, 4], scores or logits [B, N, C], landmarks [B, N, 10], all float32."""


class Detector(nn.Module, ABC):
    """A face detector with anchors at strides 8, 16 and 32.

    `forward` takes float32 [B, 3, H, W] (channel order and mean as the network's DetectorSpec says)
    and returns `Outputs` with probabilities. The two halves are separate for distillation.
    """

    @abstractmethod
    def features(self, pixels: Tensor) -> list[Tensor]:
        """What the heads read: [B, C, H/8, W/8], [B, C, H/16, W/16], [B, C, H/32, W/32]."""

    @abstractmethod
    def predict(self, features: Sequence[Tensor]) -> Outputs:
        """Offsets and class logits (before softmax or sigmoid) of all anchors."""

    @abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """Class logits [B, N, C] -> probabilities of the same shape."""

    def forward(self, pixels: Tensor) -> Outputs:
        boxes, logits, landmarks = self.predict(self.features(pixels))
        return boxes, self.probabilities(logits), landmarks


class SoftmaxHeads(Detector):
    """Per-level 1x1 heads for two classes, as RetinaFace introduced them: 2 anchors a cell."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ClassHead = nn.ModuleList(_Head(width, 2 * 2) for _ in range(3))
        self.BboxHead = nn.ModuleList(_Head(width, 2 * 4) for _ in range(3))
        self.LandmarkHead = nn.ModuleList(_Head(width, 2 * 10) for _ in range(3))

    def predict(self, features: Sequence[Tensor]) -> Outputs:
        return (
            _all_anchors(self.BboxHead, features, 4),
            _all_anchors(self.ClassHead, features, 2),
            _all_anchors(self.LandmarkHead, features, 10),
        )

    def probabilities(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits, dim=-1)


class _Head(nn.Module):
    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv1x1(x)
        return y


def _all_anchors(heads: nn.ModuleList, features: Sequence[Tensor], channels: int) -> Tensor:
    """Run one head a level and join the levels: [B, N, channels], cells row by row, anchor fastest."""
    levels = [
        head(feature).permute(0, 2, 3, 1).reshape(feature.shape[0], -1, channels)
        for head, feature in zip(heads, features, strict=True)
    ]
    return torch.cat(levels, dim=1)


def conv_bn(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution without bias, zero padding that keeps the size, batch norm."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class MobileNetV1(nn.Module):
    """MobileNetV1 x0.25 without its classifier: features of 64, 128 and 256 channels.

    Args:
        slope: Of the LeakyReLU after every batch norm; 0 is a ReLU.

    Source: Howard et al., 2017; names of Pytorch_Retinaface.
    """

    def __init__(self, slope: float) -> None:
        super().__init__()

        def activation() -> nn.Module:
            # A LeakyReLU of slope 0 would reach TFLite as comparisons and selections.
            return nn.LeakyReLU(slope) if slope else nn.ReLU()

        def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
            return nn.Sequential(
                *conv_bn(inputs, inputs, 3, stride, groups=inputs),
                activation(),
                *conv_bn(inputs, outputs),
                activation(),
            )

        self.stage1 = nn.Sequential(
            nn.Sequential(*conv_bn(3, 8, 3, 2), activation()),
            block(8, 16),
            block(16, 32, 2),
            block(32, 32),
            block(32, 64, 2),
            block(64, 64),
        )
        self.stage2 = nn.Sequential(block(64, 128, 2), *(block(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(block(128, 256, 2), block(256, 256))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c3 = self.stage1(x)
        c4 = self.stage2(c3)
        return c3, c4, self.stage3(c4)
