"""One pass through a file: what each operator reads, and where its result is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from convert.tflite.graph import FileTensor, Graph, Operator

LOWEST, HIGHEST = -128, 127
NONE, RELU, RELU6 = 0, 1, 3
"""Values of the schema's ActivationFunctionType."""


class Named(Protocol):
    """Weights by name."""

    def __getitem__(self, name: str) -> Tensor: ...


class Run:
    """The tensors of one pass through a file.

    Attributes:
        values: Index -> value; whole numbers less the zero point for integer tensors.
        batch: Pictures at once; files are made for one.
        logits: Index of a tensor of probabilities -> their logits, on the way from where a LOGISTIC or
            SOFTMAX computes them to the outputs.
    """

    def __init__(
        self,
        graph: Graph,
        names: Mapping[int, str],
        weights: Named,
        scales: Mapping[int, tuple[Tensor, int]],
        constants: Mapping[int, Tensor],
    ) -> None:
        self.graph, self.names, self.weights = graph, names, weights
        self.scales, self.constants = scales, constants
        self.values: dict[int, Tensor] = {}
        self.batch, self.device = 1, torch.device("cpu")
        self.logits: dict[int, Tensor] = {}

    def aside(self, values: dict[int, Tensor]) -> Run:
        """The same pass with other values, for operators that move them about only."""
        other = Run(self.graph, self.names, self.weights, self.scales, self.constants)
        other.batch, other.device, other.values = self.batch, self.device, values
        return other

    def tensor(self, index: int) -> FileTensor:
        """What the file says of a tensor."""
        return self.graph.tensors[index]

    def scale(self, index: int) -> tuple[Tensor, int]:
        """Present scale and zero point of an integer tensor; the file's where they are prescribed."""
        if index in self.scales:
            return self.scales[index]
        stored = self.tensor(index)
        if stored.scales is None:
            raise ValueError(f"{stored.name} is not quantized")
        return torch.tensor(stored.scales[0]), stored.zero_point

    def limits(self, index: int, activation: int = NONE) -> tuple[float, float]:
        """Smallest and largest integer of a tensor less its zero point, after a fused activation."""
        scale, zero_point = self.scale(index)
        low, high = LOWEST - zero_point, HIGHEST - zero_point
        if activation in (RELU, RELU6):
            low = max(low, 0)
        if activation == RELU6:
            high = min(high, int(np.rint(np.float32(6) / np.float32(scale.item()))))
        return float(low), float(high)

    def value(self, index: int) -> Tensor:
        """A computed tensor, a weight or another constant."""
        if index in self.values:
            return self.values[index]
        if index in self.names:
            return self.weights[self.names[index]].reshape(self.tensor(index).shape)
        constant, stored = self.constants[index].to(self.device), self.tensor(index)
        return constant.float() - stored.zero_point if stored.is_integer else constant

    def numbers(self, index: int) -> list[int]:
        """A constant of whole numbers as a list."""
        return [int(value) for value in self.constants[index].reshape(-1)]

    def real(self, index: int) -> Tensor:
        """A tensor in real numbers."""
        value = self.value(index)
        return value * self.scale(index)[0] if self.is_integer(index) else value

    def is_integer(self, index: int) -> bool:
        """Whether a tensor is quantized to 8 bits."""
        return self.tensor(index).is_integer


Kernel = Callable[[Run, Operator], Tensor]
"""Computes an operator's output: whole numbers less the zero point for an integer tensor."""
