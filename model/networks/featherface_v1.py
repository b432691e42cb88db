"""FeatherFace V1, as its authors built it; module names are those of the published checkpoint.

Source: Kim, Jung, Kim, FeatherFace: Robust and Lightweight Face Detection via Optimal Feature
Integration, Electronics 2025, 14(3), 517.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.layers.blocks import MobileNetV1, SoftmaxHeads
from model.layers.channel_groups import mobilenet_groups
from model.layers.deformable import DeformableConv2d
from model.networks import Network

LEAK = 0.1
BIFPN_EPS = 1e-3
FUSION_EPS = 1e-4


class FeatherFaceV1(SoftmaxHeads):
    """MobileNetV1 x0.25, CBAM, three BiFPN cells, CBAM, deformable context heads, channel mixing.

    Args:
        width: Channels of the neck: 64 has 592,371 parameters, 56 about 0.49 M.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__(width)
        self.body = MobileNetV1(LEAK)
        # "bacbkbone" is how the published checkpoint spells it.
        self.bacbkbone_0_cbam = Cbam(64)
        self.bacbkbone_1_cbam = Cbam(128)
        self.bacbkbone_2_cbam = Cbam(256)
        self.bifpn = nn.Sequential(*(BiFpnCell(width, first=cell == 0) for cell in range(3)))
        self.bif_cbam_0, self.bif_cbam_1, self.bif_cbam_2 = (Cbam(width) for _ in range(3))
        self.ssh1, self.ssh2, self.ssh3 = (DeformableContext(width) for _ in range(3))
        self.ssh1_cs, self.ssh2_cs, self.ssh3_cs = (_channel_mixing(width) for _ in range(3))

    def features(self, pixels: Tensor) -> list[Tensor]:
        backbone_gates = (self.bacbkbone_0_cbam, self.bacbkbone_1_cbam, self.bacbkbone_2_cbam)
        levels = tuple(gate(x) for gate, x in zip(backbone_gates, self.body(pixels), strict=True))
        levels = self.bifpn(levels)
        tails = (
            (self.bif_cbam_0, self.ssh1, self.ssh1_cs),
            (self.bif_cbam_1, self.ssh2, self.ssh2_cs),
            (self.bif_cbam_2, self.ssh3, self.ssh3_cs),
        )
        return [mix(context(gate(x))) for (gate, context, mix), x in zip(tails, levels, strict=True)]


class Cbam(nn.Module):
    """Convolutional block attention with a residual: relu(CBAM(x) + x). Source: Woo et al., 2018."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.ChannelGate = _ChannelGate(channels, reduction)
        self.SpatialGate = _SpatialGate()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.SpatialGate(self.ChannelGate(x)) + x)


class _ChannelGate(nn.Module):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = channels // reduction
        self.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        average, maximum = x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self._perceptron(average) + self._perceptron(maximum))

    def _perceptron(self, pooled: Tensor) -> Tensor:
        """The published linear layers as 1x1 convolutions: pooled maps [B, C, 1, 1] keep their layout."""
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                pooled = F.conv2d(pooled, layer.weight[:, :, None, None], layer.bias)
            elif isinstance(layer, nn.ReLU):
                pooled = F.relu(pooled)
        return pooled


class _SpatialGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.Sequential()
        self.spatial.add_module("conv", nn.Conv2d(2, 1, 7, padding=3, bias=False))
        self.spatial.add_module("bn", nn.BatchNorm2d(1))

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.spatial(maps))


class BiFpnCell(nn.Module):
    """A bidirectional feature-pyramid cell over strides 8, 16, 32. Source: EfficientDet, CVPR 2020."""

    def __init__(self, width: int, *, first: bool) -> None:
        super().__init__()
        self.p4_w1, self.p3_w1 = (nn.Parameter(torch.ones(2)) for _ in range(2))
        self.p4_w2, self.p5_w2 = (nn.Parameter(torch.ones(3)) for _ in range(2))
        self.conv4_up, self.conv3_up = _Separable(width), _Separable(width)
        self.conv4_down, self.conv5_down = _Separable(width), _Separable(width)
        self.first = first
        if first:
            self.p5_down_channel, self.p5_down_channel_2 = _projection(256, width), _projection(256, width)
            self.p4_down_channel, self.p4_down_channel_2 = _projection(128, width), _projection(128, width)
            self.p3_down_channel = _projection(64, width)

    def forward(self, levels: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        p3, p4, p5 = levels
        p4_again, p5_again = p4, p5
        if self.first:
            p4_again, p5_again = self.p4_down_channel_2(p4), self.p5_down_channel_2(p5)
            p3, p4, p5 = self.p3_down_channel(p3), self.p4_down_channel(p4), self.p5_down_channel(p5)
        w = _normalized(self.p4_w1)
        p4_up = self.conv4_up(F.silu(w[0] * p4 + w[1] * _upsample(p5)))
        w = _normalized(self.p3_w1)
        p3_out = self.conv3_up(F.silu(w[0] * p3 + w[1] * _upsample(p4_up)))
        w = _normalized(self.p4_w2)
        p4_out = self.conv4_down(F.silu(w[0] * p4_again + w[1] * p4_up + w[2] * _downsample(p3_out)))
        # All three weights count in the normalising sum, the third multiplies nothing.
        w = _normalized(self.p5_w2)
        p5_out = self.conv5_down(F.silu(w[0] * p5_again + w[1] * _downsample(p4_out)))
        return p3_out, p4_out, p5_out


def _normalized(weights: Tensor) -> Tensor:
    """Non-negative weights that sum to one, each as [1, 1, 1, 1] beside a map."""
    positive = F.relu(weights)
    return (positive / (positive.sum() + FUSION_EPS)).reshape(-1, 1, 1, 1, 1)


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _downsample(x: Tensor) -> Tensor:
    """Max-pool 3x3, stride 2, zeros where TensorFlow's "same" has them: right and bottom of even sizes."""
    odd_height, odd_width = x.shape[2] % 2, x.shape[3] % 2
    return F.max_pool2d(F.pad(x, (odd_width, 1, odd_height, 1)), 3, 2)


class _Named(nn.Module):
    """A convolution under the key `conv`, which the published checkpoint's wrappers add."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class _Separable(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise_conv = _Named(nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False))
        self.pointwise_conv = _Named(nn.Conv2d(width, width, 1))
        self.bn = nn.BatchNorm2d(width, eps=BIFPN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.pointwise_conv(self.depthwise_conv(x)))
        return y


def _projection(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_Named(nn.Conv2d(inputs, outputs, 1)), nn.BatchNorm2d(outputs, eps=BIFPN_EPS))


class DeformableContext(nn.Module):
    """SSH's context module with deformable convolutions: branches of 3x3, 5x5 and 7x7 reach, joined."""

    def __init__(self, width: int) -> None:
        super().__init__()
        quarter = width // 4
        self.conv3X3 = _deformable_bn(width, width // 2)
        self.conv5X5_1 = _deformable_bn(width, quarter, leaky=True)
        self.conv5X5_2 = _deformable_bn(quarter, quarter)
        self.conv7X7_2 = _deformable_bn(quarter, quarter, leaky=True)
        self.conv7x7_3 = _deformable_bn(quarter, quarter)

    def forward(self, x: Tensor) -> Tensor:
        shared = self.conv5X5_1(x)
        seven = self.conv7x7_3(self.conv7X7_2(shared))
        # relu(concat) of the paper, branch by branch: there it fuses with what makes the branch.
        # And channels last, as the deformable convolution computes: exporters then need no transpose.
        branches = (self.conv3X3(x), self.conv5X5_2(shared), seven)
        return torch.cat([F.relu(y.permute(0, 2, 3, 1)) for y in branches], dim=3).permute(0, 3, 1, 2)


def _deformable_bn(inputs: int, outputs: int, *, leaky: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [DeformableConv2d(inputs, outputs), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.LeakyReLU(LEAK)) if leaky else nn.Sequential(*layers)


class _ShuffledConv1x1(nn.Conv2d):
    """Channel shuffle with 2 groups and the 1x1 convolution on it, as one: the weights move, not the maps.

    The shuffle puts the input's channels, viewed as (C/2, 2) and transposed, in order. Source:
    ShuffleNet, 2018.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.convolution_weights()[""], self.bias)

    def convolution_weights(self) -> dict[str, Tensor]:
        """What the convolution computes with."""
        outputs, inputs = self.weight.shape[:2]
        pairs = self.weight.reshape(outputs, 2, inputs // 2)
        return {"": pairs.transpose(1, 2).reshape(outputs, inputs, 1, 1)}


def _channel_mixing(width: int) -> nn.Sequential:
    half = width // 2
    return nn.Sequential(
        nn.Identity(),  # the published network's shuffle, which keeps the numbers of the keys
        _ShuffledConv1x1(width, half, 1, bias=False),
        nn.BatchNorm2d(half),
        nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False),
        nn.BatchNorm2d(half),
        nn.Conv2d(half, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


NETWORK = Network(
    FeatherFaceV1,
    {},
    {
        "backbone": ("body.",),
        "attention": ("bacbkbone_", "bif_cbam_"),
        "neck": ("bifpn.",),
        "context": ("ssh",),
        "heads": ("ClassHead.", "BboxHead.", "LandmarkHead."),
    },
    channel_groups=lambda: mobilenet_groups(slope=LEAK),
    width_key="bif_cbam_0.ChannelGate.mlp.3.weight",
)
