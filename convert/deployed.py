"""The network as it is deployed: RGB pixels in, everything before and after the convolutions folded in."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.geometry.spec import DetectorSpec
from model.layers.blocks import Outputs
from model.layers.deformable import DeformableConv2d

Layout = Literal["NCHW", "NHWC"]


class Deployed(nn.Module):
    """A detector that takes float32 RGB pixels in 0..255, [1, 3, H, W] or [1, H, W, 3].

    Exact rewrites of the given network, which stays as it is: batch norms are folded into the
    convolutions before them, and the first convolution reads RGB and divides by std. The mean is
    subtracted in front of it and not folded into its bias: zero padding stands for the mean colour, so at
    the borders the two differ. (In a TFLite file it is, with a border: `convert.tflite.passes.folded_mean`.)
    """

    def __init__(self, network: nn.Module, spec: DetectorSpec, layout: Layout) -> None:
        super().__init__()
        self.network = fold_batch_norms(network)
        self.layout = layout
        mean = torch.tensor(spec.mean, dtype=torch.float32)
        first = next(m for m in self.network.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3)
        if spec.std != (1.0, 1.0, 1.0):
            # Exact at the borders too: what is padded stays zero.
            first.weight = nn.Parameter(first.weight / torch.tensor(spec.std).reshape(1, 3, 1, 1))
        if spec.channel_order == "BGR":
            mean = mean.flip(0)
            first.weight = nn.Parameter(first.weight.flip(1))
        self.mean = mean.reshape((1, 3, 1, 1) if layout == "NCHW" else (1, 1, 1, 3))
        self.subtracts = bool(mean.any())
        self.eval()

    def forward(self, image: Tensor) -> Outputs:
        if self.subtracts:
            image = image - self.mean
        if self.layout == "NHWC":
            image = image.permute(0, 3, 1, 2)
        outputs: Outputs = self.network(image)
        return outputs


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """A copy of `network` with every batch norm folded into the convolution it follows.

    Every batch norm of this project's networks stands right behind its convolution among its parent's
    children. Folded here and not while the network runs, it leaves nothing to trace: V2's graph has 270
    nodes instead of 1,360, and exporters take time for each.
    """
    folded = copy.deepcopy(network).eval()
    for parent in list(folded.modules()):
        children = list(parent.named_children())
        for (_, before), (name, after) in pairwise(children):
            if isinstance(after, nn.BatchNorm2d):
                _fold_into(before, after)
                setattr(parent, name, nn.Identity())
    return folded


def _fold_into(layer: nn.Module, norm: nn.BatchNorm2d) -> None:
    """Fold `norm` into a convolution, or into the one that a wrapper or deformable convolution holds."""
    conv = layer
    if isinstance(layer, DeformableConv2d):
        conv = layer.regular_conv
    elif not isinstance(layer, nn.Conv2d):
        conv = next(iter(layer.children()))
    if not isinstance(conv, nn.Conv2d):
        raise TypeError(
            f"a batch norm follows {type(layer).__name__}, which has no convolution to fold it into"
        )
    fused = fuse_conv_bn_eval(conv, norm)
    conv.weight, conv.bias = fused.weight, fused.bias
