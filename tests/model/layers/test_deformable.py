"""Our deformable convolution against torchvision's definition, written out as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from model.layers.deformable import DeformableConv2d


def _bilinear(image: np.ndarray, y: float, x: float) -> np.ndarray:
    """torchvision's bilinear_interpolate: [C, H, W] at (y, x), zero outside, [C]."""
    _, height, width = image.shape
    if y <= -1 or y >= height or x <= -1 or x >= width:
        return np.zeros(len(image))
    low_y, low_x = math.floor(y), math.floor(x)
    result = np.zeros(len(image))
    for row, weight_y in ((low_y, 1 - (y - low_y)), (low_y + 1, y - low_y)):
        for column, weight_x in ((low_x, 1 - (x - low_x)), (low_x + 1, x - low_x)):
            if 0 <= row < height and 0 <= column < width:
                result += weight_y * weight_x * image[:, row, column]
    return result


def _by_loops(image: np.ndarray, offset: np.ndarray, mask: np.ndarray, weight: np.ndarray) -> np.ndarray:
    outputs, _, height, width = len(weight), *image.shape
    result = np.zeros((outputs, height, width))
    for y in range(height):
        for x in range(width):
            for tap in range(9):
                at_y = y + tap // 3 - 1 + offset[2 * tap, y, x]
                at_x = x + tap % 3 - 1 + offset[2 * tap + 1, y, x]
                sample = _bilinear(image, at_y, at_x) * mask[tap, y, x]
                result[:, y, x] += weight[:, :, tap // 3, tap % 3] @ sample
    return result


@pytest.mark.parametrize("reach", [0.0, 0.5, 3.0, 50.0])
def test_it_is_torchvisions_for_offsets_of_any_size(reach: float) -> None:
    torch.manual_seed(1)
    layer = DeformableConv2d(3, 4).eval()
    with torch.no_grad():
        layer.offset_conv.weight.mul_(reach)
        layer.offset_conv.bias.mul_(reach)
        image = torch.randn(1, 3, 6, 7)
        offset = layer.offset_conv(image)[0].double().numpy()
        mask = 2 * torch.sigmoid(layer.modulator_conv(image))[0].double().numpy()
        expected = _by_loops(
            image[0].double().numpy(), offset, mask, layer.regular_conv.weight.double().numpy()
        )
        np.testing.assert_allclose(layer(image)[0].numpy(), expected, atol=1e-5)


def test_whole_pixel_offsets_at_the_very_border() -> None:
    """Coordinates of exactly -1 and exactly H are outside; 0 and H - 1 are inside."""
    layer = DeformableConv2d(1, 1).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.regular_conv.weight[0, 0, 1, 1] = 1  # the centre tap alone, mask 2 * sigmoid(0) = 1
        layer.offset_conv.bias[2 * 4] = -1  # read one row above
        image = torch.arange(1.0, 13.0).reshape(1, 1, 3, 4)
        assert layer(image)[0, 0].tolist() == [[0.0] * 4, *image[0, 0, :2].tolist()]
        layer.offset_conv.bias[2 * 4] = 1  # one row below
        assert layer(image)[0, 0].tolist() == [*image[0, 0, 1:].tolist(), [0.0] * 4]
