"""FeatherFace V2: a face detector of 209 thousand parameters made for 8-bit integer kernels.

Every activation is a ReLU that fuses into its convolution or a ReLU6 gate; every fusion is a plain
sum of non-negative maps; pooling, resizing and gating are operators that XNNPACK has in int8; the
heads run once on the cells of all levels together, so that their outputs need no rescaling. The first
convolution makes 16 channels at once, nothing else runs at half the input's size and no map has fewer than
16 channels: kernels compute 8 at the price of 16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.layers.blocks import Detector, Outputs
from model.layers.channel_groups import Group, Reader
from model.networks import Network

WIDTH = 32
STAGES = (
    ((16, 32, 2), (32, 32, 1)),
    ((32, 64, 2), (64, 64, 1)),
    ((64, 128, 2), (128, 128, 1), (128, 128, 1), (128, 128, 1)),
    ((128, 256, 2), (256, 256, 1)),
)
"""Blocks at strides 4, 8, 16 and 32: input channels, output channels and stride of each."""
PRIOR_LOGIT = -4.0
"""Initial class logit: about 2 % of anchors are faces (Lin et al., focal loss, 2017, section 4.1)."""


class ConvBn(nn.Module):
    """Convolution and batch norm, computed as one convolution unless the statistics are being learned.

    With `learn_statistics` off (the default) the running statistics are constants, in training too:
    what is trained is exactly what is deployed. It goes on for the first steps of training only.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn: nn.BatchNorm2d | nn.Identity = nn.BatchNorm2d(outputs)
        self.learn_statistics = False

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight [outputs, inputs/groups, k, k] and bias [outputs] of the equal plain convolution."""
        if isinstance(self.bn, nn.Identity):  # convert folded it for good: nothing to compute or to trace
            return self.conv.weight, cast(Tensor, self.conv.bias)
        mean, variance = self.bn.running_mean, self.bn.running_var
        assert mean is not None and variance is not None  # __init__ made it with statistics
        factor = self.bn.weight * torch.rsqrt(variance + self.bn.eps)
        return self.conv.weight * factor[:, None, None, None], self.bn.bias - mean * factor

    def convolution_weights(self) -> dict[str, Tensor]:
        """What the one convolution computes with."""
        return {"": self.folded()[0]}

    def forward(self, x: Tensor) -> Tensor:
        if self.learn_statistics:
            y: Tensor = self.bn(self.conv(x))
            return y
        weight, bias = self.folded()
        return F.conv2d(x, weight, bias, self.conv.stride, self.conv.padding, groups=self.conv.groups)

    def shared(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Apply to maps [B, inputs, h_i, w_i] of several levels with one set of statistics over them all.

        Normalising each level by its own batch would train a network that inference never runs.
        """
        if not self.learn_statistics:
            return [self(x) for x in levels]
        maps = [self.conv(x) for x in levels]
        joined = self.bn(torch.cat([y.flatten(2) for y in maps], dim=2)[..., None])
        parts = joined.squeeze(3).split([y.shape[2] * y.shape[3] for y in maps], dim=2)
        return [part.reshape(y.shape) for part, y in zip(parts, maps, strict=True)]


class Separable(nn.Module):
    """Depthwise 3x3, batch norm, (ReLU), pointwise 1x1, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, inner_relu: bool = False) -> None:
        super().__init__()
        self.depthwise = ConvBn(inputs, inputs, 3, stride, groups=inputs)
        self.pointwise = ConvBn(inputs, outputs)
        self.inner_relu = inner_relu

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)
        return F.relu(self.pointwise(F.relu(y) if self.inner_relu else y))

    def shared(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """The same weights on every level; see ConvBn.shared."""
        return [F.relu(y) for y in self.pointwise.shared(self.depthwise.shared(levels))]


class Backbone(nn.Module):
    """Separable convolutions behind a dense one: maps of 64, 128 and 256 channels at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBn(3, STAGES[0][0][0], 3, 2)
        self.stage1, self.stage2, self.stage3, self.stage4 = (_stage(*blocks) for blocks in STAGES)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        c3 = self.stage2(self.stage1(F.relu(self.stem(pixels))))
        c4 = self.stage3(c3)
        return [c3, c4, self.stage4(c4)]


def _stage(*blocks: tuple[int, int, int]) -> nn.Sequential:
    return nn.Sequential(*(Separable(i, o, stride, inner_relu=True) for i, o, stride in blocks))


class FusionCell(nn.Module):
    """A bidirectional pyramid cell whose fusions are sums: top-down, then bottom-up."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up4, self.up3 = Separable(width, width), Separable(width, width)
        self.down4, self.down5 = Separable(width, width), Separable(width, width)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        p3, p4, p5 = levels
        between = self.up4(p4 + _double(p5))
        p3 = self.up3(p3 + _double(between))
        p4 = self.down4(p4 + between + F.max_pool2d(p3, 2))
        return [p3, p4, self.down5(p5 + F.max_pool2d(p4, 2))]


def _double(x: Tensor) -> Tensor:
    """Bilinear, because XNNPACK has no nearest-neighbour resize."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class CbamPlusPlus(nn.Module):
    """What 256 levels and short trainings leave of CBAM: a gate over channels.

    It is relu6(z) of the global mean, i.e. six times a hard sigmoid, starting at 1: no table of exponentials,
    a fixed range, and the factor of six is absorbed by the weights that follow. A second gate over places
    cost as much as a block of the backbone and earned nothing that could be told from noise.
    """

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


class Heads(nn.Module):
    """One grouped (depthwise) separable tower and one linear map per output, shared by all levels.

    The maps read the cells of all levels as one matrix [B, cells, width]: one operator and one
    quantization scale an output, and no concatenation of differently scaled tensors.
    """

    def __init__(self, width: int, anchors_per_cell: int = 2) -> None:
        super().__init__()
        self.tower = Separable(width, width)
        self.boxes = nn.Linear(width, anchors_per_cell * 4)
        self.scores = nn.Linear(width, anchors_per_cell)
        self.landmarks = nn.Linear(width, anchors_per_cell * 10)
        nn.init.constant_(self.scores.bias, PRIOR_LOGIT)

    def forward(self, levels: Sequence[Tensor]) -> Outputs:
        batch = levels[0].shape[0]
        cells = [x.permute(0, 2, 3, 1).flatten(1, 2) for x in self.tower.shared(levels)]
        joined = torch.cat(cells, dim=1)
        return (
            self.boxes(joined).reshape(batch, -1, 4),
            self.scores(joined).reshape(batch, -1, 1),
            self.landmarks(joined).reshape(batch, -1, 10),
        )


class FeatherFaceV2(Detector):
    """RGB pixels in 0..255 (no mean) -> boxes, probability of a face, landmarks.

    Anchors, strides and variances are V1's, so that both are compared and decoded anchor by anchor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.laterals = nn.ModuleList(ConvBn(channels, WIDTH) for channels in (64, 128, 256))
        self.fusion = nn.Sequential(FusionCell(WIDTH), FusionCell(WIDTH))
        self.attention = nn.ModuleList(CbamPlusPlus(WIDTH) for _ in range(3))
        self.context = Context(WIDTH)
        self.heads = Heads(WIDTH)

    def features(self, pixels: Tensor) -> list[Tensor]:
        levels = [F.relu(lateral(c)) for lateral, c in zip(self.laterals, self.backbone(pixels), strict=True)]
        levels = self.fusion(levels)
        return list(self.context([gate(x) for gate, x in zip(self.attention, levels, strict=True)]))

    def predict(self, features: Sequence[Tensor]) -> Outputs:
        outputs: Outputs = self.heads(features)
        return outputs

    def probabilities(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits)

    def learn_statistics(self, learn: bool) -> None:
        """Switch all batch norms between learning their statistics and holding them constant."""
        for module in self.modules():
            if isinstance(module, ConvBn):
                module.learn_statistics = learn


def _channel_groups() -> list[Group]:
    return [*_backbone_groups(), *_neck_groups(), *_head_groups()]


def _backbone_groups() -> list[Group]:
    groups = []
    makers, lateral = _conv_names("backbone.stem"), list[Reader]()
    for number, blocks in enumerate(STAGES, 1):
        for place, (inputs, _, _) in enumerate(blocks):
            block = f"backbone.stage{number}.{place}"
            groups.append(Group(inputs, (makers,), (Reader(f"{block}.depthwise.conv"), *lateral)))
            groups.append(_within(block, inputs, slope=0.0))
            makers, lateral = _conv_names(f"{block}.pointwise"), []
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
            tuple(_conv_names(name) for name in makers),
            tuple(Reader(name) for name in (*readers, "context.layer.depthwise.conv")),
        ),
        *(_within(cell, WIDTH) for cell in cells),
        *(Group(WIDTH // 4, ((f"{gate}.squeeze", ""),), (Reader(f"{gate}.excite"),)) for gate in gates),
    ]


def _head_groups() -> list[Group]:
    outputs = tuple(Reader(f"heads.{name}") for name in ("boxes", "scores", "landmarks"))
    return [
        _within("context.layer", WIDTH),
        Group(WIDTH, (_conv_names("context.layer.pointwise"),), (Reader("heads.tower.depthwise.conv"),)),
        _within("heads.tower", WIDTH),
        Group(WIDTH, (_conv_names("heads.tower.pointwise"),), outputs),
    ]


def _conv_names(name: str) -> tuple[str, str]:
    """Names of a ConvBn's convolution and batch norm, as a group of channels has them."""
    return f"{name}.conv", f"{name}.bn"


def _within(separable: str, channels: int, slope: float = 1.0) -> Group:
    """Between the two convolutions of a separable one; none of the neck's has an activation there."""
    maker, reader = _conv_names(f"{separable}.depthwise"), Reader(f"{separable}.pointwise.conv")
    return Group(channels, (maker,), (reader,), slope)


NETWORK = Network(
    FeatherFaceV2,
    {"channel_order": "RGB", "mean": (0.0, 0.0, 0.0), "pad_rgb": (0, 0, 0), "score_channels": 1},
    {
        "backbone": ("backbone.",),
        "attention": ("attention.",),
        "neck": ("laterals.", "fusion."),
        "context": ("context.",),
        "heads": ("heads.",),
    },
    channel_groups=_channel_groups,
)
