"""Modulated deformable convolution in plain tensor operations that every exporter knows."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 9
BORDER = 2


class DeformableConv2d(nn.Module):
    """3x3 modulated deformable convolution, padding 1, stride 1, offsets and mask predicted from its input.

    Same semantics as torchvision.ops.deform_conv2d: each tap samples the input bilinearly at its own
    position plus an offset (y, x), zero outside the image, times 2 * sigmoid(mask), for any offset.

    How: sampling and the kernel are both linear, so every tap's kernel is applied first, on the grid
    (one matrix product), and the few output channels are sampled instead of the many input channels.
    The 4 corners x 9 taps of a pixel are one row look-up and one weighted sum. Clamping coordinates
    to a border of zeros replaces all bounds checks.

    Source: Zhu et al., Deformable ConvNets v2, 2019, equation 1.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.offset_conv = nn.Conv2d(inputs, 2 * TAPS, 3, padding=1)
        self.modulator_conv = nn.Conv2d(inputs, TAPS, 3, padding=1)
        self.regular_conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]."""
        batch, _, height, width = x.shape
        rows, weights = self._corners(x)
        table = self._projected(x)
        if batch > 1:
            first = torch.arange(batch, dtype=torch.int32, device=x.device) * (table.shape[0] // batch)
            rows = (rows.reshape(batch, -1) + first[:, None]).reshape(rows.shape)
        sampled = F.embedding(rows, table)
        out = (sampled * weights[..., None]).sum(dim=1)
        if self.regular_conv.bias is not None:  # absent in the published network, left by a folded batch norm
            out = out + self.regular_conv.bias
        return out.reshape(batch, height, width, -1).permute(0, 3, 1, 2)

    def convolution_weights(self) -> dict[str, Tensor]:
        """What the two convolutions compute with: offsets in y, in x and mask as one; all taps as one 1x1."""
        offset, regular = self.offset_conv.weight, self.regular_conv.weight
        outputs, inputs = regular.shape[:2]
        taps = regular.reshape(outputs, inputs, TAPS).permute(2, 0, 1).reshape(TAPS * outputs, inputs, 1, 1)
        return {"offsets": torch.cat([offset[0::2], offset[1::2], self.modulator_conv.weight]), "taps": taps}

    def _projected(self, x: Tensor) -> Tensor:
        """Each pixel of the zero-bordered input times each tap's kernel: [B * (H+4) * (W+4) * 9, outputs].

        The border is two pixels wide; the outer one is only ever multiplied by zero, when a
        coordinate is clamped to the inner one.
        """
        kernel = self.convolution_weights()["taps"]
        return F.conv2d(x, kernel, padding=BORDER).permute(0, 2, 3, 1).reshape(-1, len(kernel) // TAPS)

    def _corners(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of one image's table and weights of each pixel's 4 corners x 9 taps, both [B*H*W, 36]."""
        height, width = x.shape[2:]
        dy, dx, mask = self._predicted(x)
        home_y, home_x, tap = (part.to(x.device) for part in _taps(height, width))
        y = (dy + home_y).clamp(-1, height)
        x_ = (dx + home_x).clamp(-1, width)
        top, left = torch.floor(y), torch.floor(x_)
        lower, right = y - top, x_ - left
        upper_weight, lower_weight = (1 - lower) * mask, lower * mask
        # Exact in float32 below 2^24 rows, i.e. for feature maps of up to 1,361 x 1,361 cells.
        stride = (width + 2 * BORDER) * TAPS
        first = top * stride + (left * TAPS + tap)
        rows = torch.cat([first, first + TAPS, first + stride, first + (stride + TAPS)], dim=-1)
        left_weight = 1 - right
        weights = torch.cat(
            [
                upper_weight * left_weight,
                upper_weight * right,
                lower_weight * left_weight,
                lower_weight * right,
            ],
            dim=-1,
        )
        return rows.to(torch.int32).reshape(-1, 4 * TAPS), weights.reshape(-1, 4 * TAPS)

    def _predicted(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Offsets in y and x in pixels and the mask, each [B, H, W, 9], from one convolution."""
        offset, mask = self.offset_conv, self.modulator_conv
        assert offset.bias is not None and mask.bias is not None  # built with a bias in __init__
        weight = self.convolution_weights()["offsets"]
        bias = torch.cat([offset.bias[0::2], offset.bias[1::2], mask.bias])
        joined = F.conv2d(x, weight, bias, padding=1).permute(0, 2, 3, 1)
        dy, dx, modulation = torch.split(joined, TAPS, dim=-1)
        return dy, dx, 2 * torch.sigmoid(modulation)


def _taps(height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Row [H, 1, 9] and column [1, W, 9] of each pixel's taps without offset, row of each tap at (0, 0) [9].

    NumPy makes them, so that an exporter sees constants and not operators that compute them.
    """
    dy, dx = (part.reshape(TAPS) for part in np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"))
    home_y = (np.arange(height)[:, None, None] + dy).astype(np.float32)
    home_x = (np.arange(width)[None, :, None] + dx).astype(np.float32)
    tap = np.arange(TAPS) + BORDER * (width + 2 * BORDER + 1) * TAPS
    return torch.from_numpy(home_y), torch.from_numpy(home_x), torch.from_numpy(tap.astype(np.float32))
