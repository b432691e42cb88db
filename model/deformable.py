"""Modulated deformable convolution in plain tensor operations that every exporter knows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 9


class DeformableConv2d(nn.Module):
    """3x3 modulated deformable convolution, padding 1, stride 1, offsets and mask predicted from its input.

    Same semantics as torchvision.ops.deform_conv2d: each tap samples the input bilinearly at its own
    position plus an offset (y, x), zero outside the image, times 2 * sigmoid(mask), for any offset.

    How: sampling and the kernel are both linear, so every tap's kernel is applied first, on the grid
    (one matrix product), and the few output channels are sampled instead of the many input channels.
    The 4 corners x 9 taps of a pixel are one row gather and one matrix product. Clamping coordinates
    to a border of zeros one pixel wide replaces all bounds checks.

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
        offset = self.offset_conv(x).permute(0, 2, 3, 1).reshape(batch, height * width, TAPS, 2)
        mask = 2 * torch.sigmoid(self.modulator_conv(x)).permute(0, 2, 3, 1).reshape(batch, height * width, TAPS)
        rows, weights = _corners(offset, mask, height, width)
        table = self._projected(x)
        if batch > 1:
            first = torch.arange(batch, device=x.device).reshape(batch, 1, 1) * (table.shape[0] // batch)
            rows = rows + first
        sampled = table.index_select(0, rows.reshape(-1)).reshape(batch * height * width, 4 * TAPS, -1)
        out = torch.bmm(weights.reshape(batch * height * width, 1, 4 * TAPS), sampled)
        return out.reshape(batch, height, width, -1).permute(0, 3, 1, 2)

    def _projected(self, x: Tensor) -> Tensor:
        """Each pixel of the zero-bordered input times each tap's kernel: [B * (H+2) * (W+2) * 9, outputs]."""
        weight = self.regular_conv.weight
        outputs, inputs = weight.shape[:2]
        kernel = weight.reshape(outputs, inputs, TAPS).permute(2, 0, 1).reshape(TAPS * outputs, inputs)
        pixels = F.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).reshape(-1, inputs)
        return F.linear(pixels, kernel).reshape(-1, outputs)


def _corners(offset: Tensor, mask: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows of the table and weights of each pixel's 9 taps x 4 corners, both [B, H*W, 36].

    Args:
        offset: [B, H*W, 9, 2] in pixels, (y, x).
        mask: [B, H*W, 9].
    """
    place = offset + _tap_positions(height, width).to(offset.device)
    size = torch.tensor([height, width], dtype=torch.float32, device=offset.device)
    place = torch.minimum(place.clamp(min=-1.0), size)
    low = torch.floor(place)
    high = torch.minimum(low + 1, size)
    fraction = place - low
    y = torch.stack([low[..., 0], low[..., 0], high[..., 0], high[..., 0]], dim=-1)
    x = torch.stack([low[..., 1], high[..., 1], low[..., 1], high[..., 1]], dim=-1)
    fy, fx = fraction[..., 0], fraction[..., 1]
    weights = torch.stack([(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx], dim=-1) * mask[..., None]
    tap = torch.arange(TAPS, dtype=torch.float32, device=offset.device).reshape(TAPS, 1)
    # Exact in float32 below 2^24 rows, i.e. for feature maps of up to 1,364 x 1,364 cells.
    rows = ((y + 1) * (width + 2) + (x + 1)) * TAPS + tap
    shape = (offset.shape[0], offset.shape[1], 4 * TAPS)
    return rows.to(torch.int32).reshape(shape), weights.reshape(shape)


def _tap_positions(height: int, width: int) -> Tensor:
    """Where the taps of each pixel stand without offset: [H*W, 9, 2], (y, x)."""
    y, x, dy, dx = torch.meshgrid(
        torch.arange(height), torch.arange(width), torch.arange(-1, 2), torch.arange(-1, 2), indexing="ij"
    )
    return torch.stack([y + dy, x + dx], dim=-1).reshape(height * width, TAPS, 2).float()
