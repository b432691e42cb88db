"""SCRFD's ONNX files as PyTorch modules: a teacher that runs on any device, many pictures at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from model.foundation.errors import InputError
from model.geometry.anchors import cells
from model.geometry.spec import DetectorSpec
from model.runtime.onnx_file import read_onnx
from model.runtime.onnx_module import OnnxModule

STRIDES = (8, 16, 32)
ANCHOR_SIZES = ((16, 32), (64, 128), (256, 512))
AFTER_A_MAP = ("Sigmoid", "Reshape", "Transpose")
"""What makes an output from its map for one picture; done here for many."""


class Scrfd(nn.Module):
    """A detector of two anchors a cell, whose anchors stand on the cells' corners.

    Source: Guo et al., Sample and computation redistribution for efficient face detection, 2021, and
    its published files.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            InputError: absent, or no such detector.
        """
        super().__init__()
        model = read_onnx(path)
        makers = {output: node for node in model.graph.node for output in node.output}
        maps = [_map_of(makers, output.name) for output in model.graph.output]
        if len(maps) != 9:
            raise InputError(f"{path} has {len(maps)} outputs; SCRFD with landmarks has 9")
        _double_where_resized(model)
        self.network = OnnxModule(model, maps)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Answer for RGB pictures in 0..255, [B, 3, H, W], H and W multiples of 32.

        Returns:
            Logits of a face [B, N], distances of a box's sides from the anchor in pixels (left, top,
            right, bottom) [B, N, 4], and of the landmarks [B, N, 10]; anchors in the order of
            `model.geometry.anchors.cells`, each standing on the corner of its cell.
        """
        maps = self.network((pixels - 127.5) / 128)
        levels = [one.permute(0, 2, 3, 1).flatten(1) for one in maps]
        logits = torch.cat(levels[:3], dim=1)
        parts = []
        for first, channels in ((3, 4), (6, 10)):
            scaled = [
                x.reshape(len(pixels), -1, channels) * stride
                for x, stride in zip(levels[first : first + 3], STRIDES, strict=True)
            ]
            parts.append(torch.cat(scaled, dim=1))
        return logits, parts[0], parts[1]


def corners(height: int, width: int) -> Tensor:
    """Where the anchors stand: float32 [N, 2], x and y in pixels."""
    spec = DetectorSpec("scrfd", height, width, strides=STRIDES, anchor_sizes=ANCHOR_SIZES)
    return torch.from_numpy(cells(spec)[:, :2].copy())


def _map_of(makers: dict[str, Any], name: str) -> str:
    """The map [B, C, H, W] that an output is made of."""
    while name in makers and makers[name].op_type in AFTER_A_MAP:
        name = makers[name].input[0]
    return name


def _double_where_resized(model: onnx.ModelProto) -> None:
    """Let each level of the pyramid be twice the one above; the file computes it from the picture's size."""
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "doubled")
    model.graph.initializer.append(scales)
    for node in model.graph.node:
        if node.op_type == "Resize":
            node.input[:] = [node.input[0], "", scales.name]
