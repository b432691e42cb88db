"""The integer file as a PyTorch module: its operators one by one, with trainable weights and scales."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convert.tflite.graph import RESCALING, Operator
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels
from model.layers.blocks import Outputs
from model.runtime.running import Answer
from quantize.qat.mirror.kernels import KERNELS, MOVING, PROBABILITIES, logits, unknown
from quantize.qat.mirror.roles import Roles
from quantize.qat.mirror.run import Run
from quantize.qat.mirror.scales import Placement, Scales


class Weights(nn.Module):
    """The weights and biases of a float file by name; shared by the files of all input sizes.

    A parameter holds a weight divided by about the size of its channel (a bias: of its layer), so that one
    learning rate fits layers whose weights differ by orders of magnitude. The divisors are powers of two:
    multiplying restores every bit.
    """

    def __init__(
        self, constants: Mapping[str, NDArray[np.float32]], depthwise: Set[str] = frozenset()
    ) -> None:
        """Keep constants.

        Args:
            constants: Name -> values as TFLite orders them.
            depthwise: Names of weights whose channels are their last dimension.
        """
        super().__init__()
        self._unit_of: dict[str, str] = {}
        self.values = nn.ParameterDict()
        for name, constant in constants.items():
            value = torch.from_numpy(constant.copy())
            unit = _unit(value, value.ndim - 1 if name in depthwise else 0)
            self._unit_of[name] = f"unit_{len(self._unit_of)}"
            self.register_buffer(self._unit_of[name], unit, persistent=False)
            self.values[_key(name)] = nn.Parameter(value / unit)

    @classmethod
    def of(cls, placement: Placement) -> Weights:
        """The weights and biases of a placement's float file."""
        graph = placement.float_graph
        names = set(placement.weights.values())
        constants = {t.name: t.constant for t in graph.tensors if t.name in names}
        depthwise = {
            graph.tensors[operator.inputs[1]].name
            for operator in graph.operators
            if operator.kind == "DEPTHWISE_CONV_2D"
        }
        weights = cls({name: value for name, value in constants.items() if value is not None}, depthwise)
        weights.freeze((names - placement.trained) | placement.shared)
        return weights

    def freeze(self, names: Set[str]) -> None:
        """Leave constants as they are."""
        for name in names:
            self.values[_key(name)].requires_grad_(False)

    def __getitem__(self, name: str) -> Tensor:
        value: Tensor = self.values[_key(name)] * self.get_buffer(self._unit_of[name])
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._unit_of)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Name -> float32 values of those that are trained, as TFLite orders them."""
        trained = [name for name in self._unit_of if self.values[_key(name)].requires_grad]
        with torch.no_grad():
            return {name: self[name].cpu().numpy() for name in trained}

    def take(self, constants: Mapping[str, NDArray[np.float32]]) -> None:
        """Hold other values, as TFLite orders them."""
        with torch.no_grad():
            for name, constant in constants.items():
                value = torch.tensor(constant) / self.get_buffer(self._unit_of[name]).cpu()
                self.values[_key(name)].copy_(value)

    def __contains__(self, name: str) -> bool:
        return name in self._unit_of


def _unit(value: Tensor, channels: int) -> Tensor:
    """A power of two near the root mean square of each channel; of a bias as a whole."""
    squares = value.square()
    others = [axis for axis in range(value.ndim) if axis != channels or value.ndim == 1]
    size = squares.mean(others, keepdim=True).sqrt().clamp(min=1e-9)
    return torch.exp2(torch.floor(torch.log2(size)))


def _key(name: str) -> str:
    return name.replace(".", "|")  # a parameter's name must not contain a dot


class Mirror(nn.Module):
    """Computes what the integer file computes.

    Args:
        placement: Of the file.
        weights: Shared with the mirrors of other input sizes.
        scales: Of this size.
    """

    def __init__(self, placement: Placement, weights: Weights, scales: Scales) -> None:
        super().__init__()
        self.placement, self.weights, self.scales = placement, weights, scales
        self.graph = placement.graph
        if strange := unknown([operator.kind for operator in self.graph.operators]):
            raise InputError(
                f"quantization-aware training does not know the operator(s) {', '.join(strange)}"
            )
        self._constants = {
            index: torch.from_numpy(tensor.constant.copy())
            for index, tensor in enumerate(self.graph.tensors)
            if tensor.constant is not None and index not in placement.weights
        }
        self._last_use = _last_uses(self.graph.operators, self.graph.outputs)
        self._roles = Roles(self.graph, placement.spec)
        self._ways = {index: self._way(index) for index in self._roles.probable}
        self._on_the_way = frozenset[int]().union(*self._ways.values())

    @property
    def squashed(self) -> Tensor:
        """Which scores [N, C] the file leaves as logits."""
        return self._roles.squashed

    def _way(self, output: int) -> frozenset[int]:
        """The tensors from where probabilities are computed to an output of scores.

        Raises:
            InputError: the scores are no probabilities.
        """
        way, left, found = {output}, [output], False
        while left:
            maker = self.graph.makers.get(left.pop())
            if maker is not None and maker.kind in PROBABILITIES:
                found = True
            elif maker is not None and maker.kind in (*MOVING, *RESCALING):
                left += [index for index in maker.reads if index in self.graph.computed]
                way.update(left)
        if not found:
            raise InputError(
                f"no LOGISTIC or SOFTMAX computes the scores {self.graph.tensors[output].name}: quantization-"
                "aware training needs their logits (if the output is logits, say sigmoid(NAME) in the spec)"
            )
        return frozenset(way)

    def run(self, pixels: Tensor, keep: bool = False) -> Run:
        """All tensors of the file for uint8 RGB [B, H, W, 3].

        Args:
            pixels: The input.
            keep: Keep every tensor; else those that are needed no more are forgotten.
        """
        run = Run(self.graph, self.placement.weights, self.weights, self.scales.values(), self._constants)
        run.batch, run.device = len(pixels), pixels.device
        run.values[self.graph.inputs[0]] = pixels.float()
        for number, operator in enumerate(self.graph.operators):
            run.values[operator.outputs[0]] = KERNELS[operator.kind](run, operator)
            if operator.outputs[0] in self._on_the_way:
                self._follow(run, operator)
            if not keep:
                for index in self._last_use.get(number, ()):
                    run.values.pop(index, None)
        return run

    def _follow(self, run: Run, operator: Operator) -> None:
        """Keep the logits of probabilities, and of what else is joined with them the real numbers."""
        if operator.kind in PROBABILITIES:
            run.logits[operator.outputs[0]] = logits(run, operator)
        elif any(index in run.logits for index in operator.inputs):
            entries = {
                index: run.logits[index] if index in run.logits else run.real(index)
                for index in operator.reads
                if index in self.graph.computed
            }
            moved = operator.kind in MOVING
            run.logits[operator.outputs[0]] = (
                KERNELS[operator.kind](run.aside(entries), operator) if moved else entries[operator.inputs[0]]
            )

    def forward(self, pixels: Tensor) -> Outputs:
        """Boxes [B, N, 4], logits of scores [B, N, C] and landmarks [B, N, 2 P] of pixels [B, H, W, 3]."""
        run = self.run(pixels)
        outputs = [run.logits[i] if i in run.logits else run.real(i) for i in self.graph.outputs]
        return self._roles.rows(outputs, len(pixels))

    def answer(self, pixels: Tensor) -> Outputs:
        """Boxes, scores (probabilities) and landmarks, as the file returns them."""
        run = self.run(pixels)
        boxes, scores, landmarks = self._roles.rows(
            [run.real(index) for index in self.graph.outputs], len(pixels)
        )
        # In double precision, as whoever reads the file.
        probabilities = torch.sigmoid(scores.double()).float()
        return boxes, torch.where(self.squashed.to(scores.device), probabilities, scores), landmarks

    def raw(self, input_rgb: Pixels) -> Answer:
        """The same for one picture, uint8 RGB [H, W, 3], as a running file returns it: float32 [1, N, C]."""
        with torch.no_grad():
            outputs = self.answer(torch.tensor(input_rgb[None], device=self.scales.logarithm.device))
        boxes, scores, landmarks = (output.cpu().numpy() for output in outputs)
        return boxes, scores, landmarks


def _last_uses(operators: tuple[Operator, ...], outputs: tuple[int, ...]) -> dict[int, list[int]]:
    """Number of an operator -> the tensors that no later one reads."""
    last = {index: number for number, operator in enumerate(operators) for index in operator.inputs}
    result: dict[int, list[int]] = {}
    for index, number in last.items():
        if index >= 0 and index not in outputs:
            result.setdefault(number, []).append(index)
    return result
