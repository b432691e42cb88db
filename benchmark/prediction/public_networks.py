"""MobileNet V1 and V2 as TFLite files: networks whose latencies others have published.

The weights are random: what an inference costs does not depend on them (XNNPACK's dense kernels skip
nothing). Shapes and layers are those of the papers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.prediction.published import Kind

INPUT_SIDE = 224
CLASSES = 1001


def _conv(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
    # Batch norms are folded into the convolutions before anyone runs them: leave them out from the start.
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups), nn.ReLU6()]


class _Classifier(nn.Module):
    def __init__(self, features: nn.Module, channels: int) -> None:
        super().__init__()
        self.features = features
        self.classes = nn.Linear(channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.features(images.permute(0, 3, 1, 2))
        return torch.softmax(self.classes(features.mean((2, 3))), 1)


def mobilenet_v1() -> nn.Module:
    """MobileNet V1 1.0 at 224x224, float32 NHWC in, [1, 1001] out.

    Source: Howard et al. 2017, arXiv:1704.04861, table 1.
    """
    layers = _conv(3, 32, 3, 2)
    blocks = [(32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)]
    for inputs, outputs, stride in [*blocks, *[(512, 512, 1)] * 5, (512, 1024, 2), (1024, 1024, 1)]:
        layers += _conv(inputs, inputs, 3, stride, inputs) + _conv(inputs, outputs, 1, 1)
    return _Classifier(nn.Sequential(*layers), 1024)


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers = _conv(inputs, hidden, 1, 1) if expansion > 1 else []
        layers += _conv(hidden, hidden, 3, stride, hidden)
        self.layers = nn.Sequential(*layers, nn.Conv2d(hidden, outputs, 1))
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.layers(features)
        return features + result if self.is_residual else result


def mobilenet_v2() -> nn.Module:
    """MobileNet V2 1.0 at 224x224, float32 NHWC in, [1, 1001] out.

    Source: Sandler et al. 2018, arXiv:1801.04381, table 2.
    """
    layers, channels = _conv(3, 32, 3, 2), 32
    rows = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    for expansion, outputs, repeats, stride in rows:
        for repeat in range(repeats):
            layers.append(_Bottleneck(channels, outputs, stride if repeat == 0 else 1, expansion))
            channels = outputs
    layers += _conv(320, 1280, 1, 1)
    return _Classifier(nn.Sequential(*layers), 1280)


NETWORKS: dict[str, Callable[[], nn.Module]] = {"mobilenet_v1": mobilenet_v1, "mobilenet_v2": mobilenet_v2}


def write_networks(folder: Path) -> dict[tuple[str, Kind], Path]:
    """Write each network as float32 and, statically quantized per channel, as int8.

    Returns:
        (network, kind) -> file.
    """
    from convert.tflite.export import write_tflite
    from quantize.apply.quantizer import quantize_foreign

    written: dict[tuple[str, Kind], Path] = {}
    generator = np.random.default_rng(0)
    for name, build in NETWORKS.items():
        torch.manual_seed(0)
        plain, integer = folder / f"{name}_float32.tflite", folder / f"{name}_int8.tflite"
        example = torch.rand(1, INPUT_SIDE, INPUT_SIDE, 3)
        write_tflite(build().eval(), example, plain)
        pixels = generator.random((2, 1, INPUT_SIDE, INPUT_SIDE, 3), np.float32)
        quantize_foreign(plain, list(pixels), integer)
        written[name, "float"], written[name, "int8"] = plain, integer
    return written
