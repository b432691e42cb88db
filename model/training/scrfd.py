"""SCRFD's ONNX files as PyTorch modules: a teacher that runs on any device, many pictures at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

from model.foundation.errors import InputError

STRIDES = (8, 16, 32)
LAYERS = ("Conv", "Relu", "Add", "Mul", "MaxPool", "AveragePool", "Resize")
"""Operators of the network itself; what follows (Transpose, Reshape, Sigmoid) is undone here."""


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
        if not path.is_file():
            raise InputError(f"no such teacher: {path}")
        graph = onnx.load(str(path)).graph
        makers = {output: node for node in graph.node for output in node.output}
        self.outputs = [_before_reshape(makers, output.name) for output in graph.output]
        if len(self.outputs) != 9:
            raise InputError(f"{path} has {len(self.outputs)} outputs; SCRFD with landmarks has 9")
        self.nodes = [
            (node.op_type, list(node.input), node.output[0], _attributes(node))
            for node in graph.node
            if node.op_type in LAYERS
        ]
        self.input = graph.input[0].name
        self.names: dict[str, str] = {}
        for value in graph.initializer:
            array = torch.from_numpy(numpy_helper.to_array(value).copy())
            if array.dtype == torch.float32:
                self.names[value.name] = f"value{len(self.names)}"
                self.register_buffer(self.names[value.name], array)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Answer for RGB pictures in 0..255, [B, 3, H, W], H and W multiples of 32.

        Returns:
            Logits of a face [B, N], distances of a box's sides from the anchor in pixels (left, top,
            right, bottom) [B, N, 4], and of the landmarks [B, N, 10]; anchors in the order of
            `model.anchors`, each standing on the upper left corner of its cell.
        """
        values: dict[str, Tensor] = {self.input: (pixels - 127.5) / 128}
        for kind, inputs, output, attributes in self.nodes:
            given = [
                values[name] if name in values else getattr(self, self.names[name])
                for name in inputs
                if name in values or name in self.names
            ]
            values[output] = _run(kind, given, attributes)
        levels = [values[name].permute(0, 2, 3, 1).flatten(1) for name in self.outputs]
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
    levels = []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        levels.append((torch.stack([x, y], dim=-1) * float(stride)).reshape(-1, 1, 2).expand(-1, 2, 2))
    return torch.cat([level.reshape(-1, 2) for level in levels])


def _before_reshape(makers: dict[str, Any], name: str) -> str:
    """The map [B, C, H, W] that an output is made of."""
    while name in makers and makers[name].op_type in ("Sigmoid", "Reshape", "Transpose"):
        name = makers[name].input[0]
    return name


def _attributes(node: Any) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _run(kind: str, given: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    x = given[0]
    if kind == "Conv":
        bias = given[2] if len(given) > 2 else None
        return F.conv2d(
            x, given[1], bias, attributes["strides"], attributes["pads"][:2], groups=attributes["group"]
        )
    if kind == "Relu":
        return F.relu(x)
    if kind == "Add":
        return x + given[1]
    if kind == "Mul":
        return x * given[1]
    if kind == "Resize":
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    pool = F.max_pool2d if kind == "MaxPool" else F.avg_pool2d
    padding = attributes.get("pads", [0, 0])[:2]
    return pool(x, attributes["kernel_shape"], attributes["strides"], padding, ceil_mode=True)
