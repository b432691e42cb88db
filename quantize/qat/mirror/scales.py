"""Which tensors of the integer file share a range, as the quantizer itself says, and the learned scales."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from convert.tflite.graph import WEIGHTED, Graph, read_graph
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import INPUT_NAME
from model.runtime.running import open_model
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import PIXELS, joined, pixels
from quantize.calibrate.ranges import Bounds
from quantize.qat.mirror.run import HIGHEST, LOWEST
from quantize.recipe import Recipe

LEVELS = 255
"""Steps of an 8-bit range."""
PROBE_STEP = 1 / 1024
"""Distance of two probing ranges; far more than what single precision tells apart."""


@dataclass(frozen=True, eq=False)
class Placement:
    """The integer file that a recipe makes of a float file, whatever the ranges are.

    Attributes:
        spec: How the file is read.
        float_graph: The float file.
        graph: The integer file, made with probing ranges; its scales mean nothing.
        owner: Index of each integer activation -> the activation of the float file whose range sets its
            scale. An activation that is not in here has the scale that its operator prescribes.
        followers: Owner -> all activations of the float file that are given its range.
        weights: Index of each weight and bias of `graph` -> name of the constant of `float_graph`.
    """

    spec: DetectorSpec
    float_graph: Graph
    graph: Graph
    owner: dict[int, str]
    followers: dict[str, tuple[str, ...]]
    weights: dict[int, str]

    @property
    def trained(self) -> frozenset[str]:
        """Names of the weights and biases that the file holds as integers; the others stay as they are."""
        floats = {
            name
            for index, name in self.weights.items()
            if self.graph.tensors[index].dtype in (np.float16, np.float32)
        }
        return frozenset(set(self.weights.values()) - floats)

    @property
    def shared(self) -> frozenset[str]:
        """Names of the biases that different layers read: the converter stores equal ones (zeros) once."""
        tensors = self.float_graph.tensors
        readers: dict[str, set[str]] = {}
        for operator in self.float_graph.operators:
            if operator.kind in WEIGHTED and len(operator.inputs) > 2 and operator.inputs[2] >= 0:
                weight, bias = (tensors[index].name for index in operator.inputs[1:3])
                readers.setdefault(bias, set()).add(weight)
        return frozenset(bias for bias, layers in readers.items() if len(layers) > 1)


def scale_of(low: float, high: float) -> np.float32:
    """The scale that the quantizer gives a range.

    Source: ai-edge-quantizer 0.10, uniform_quantize_tensor.tensor_zp_scale_from_min_max.
    """
    bound = np.maximum(np.float32(high), np.float32(0)) - np.minimum(np.float32(low), np.float32(0))
    return np.float32(np.maximum(bound, np.float32(1e-9)) / np.float32(LEVELS))


def zero_point_of(low: float, high: float) -> int:
    """The zero point that the quantizer gives a range; see `scale_of`."""
    return int(np.rint(np.float32(-128) - np.minimum(np.float32(low), np.float32(0)) / scale_of(low, high)))


def find_placement(model: Path, recipe: Recipe) -> Placement:
    """Quantize a float file with ranges that are all different and see where each of them arrives.

    Args:
        model: Float32 TFLite file that convert made.
        recipe: With int8 layers.

    Raises:
        InputError: the file is quantized already, or the recipe does not fit it or has no int8 layer.
    """
    float_graph = read_graph(model)
    if any(tensor.is_integer for tensor in float_graph.tensors):
        raise InputError(f"{model} is quantized already; quantization-aware training starts from float32")
    if not recipe.is_static:
        raise InputError(f"recipe {recipe.name} has no int8 layer to train for")
    bounds = joined(_probes(float_graph), float_graph)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "probe.tflite"
        apply_recipe(recipe, model, bounds, output)
        graph = read_graph(output)
    names: dict[tuple[float, float], list[str]] = {}
    for name, bound in bounds.items():
        names.setdefault(bound, []).append(name)
    by_scale = {float(scale_of(*bound)): group for bound, group in names.items()}
    owner = {
        index: by_scale[float(tensor.scales[0])][0]
        for index, tensor in enumerate(graph.tensors)
        if tensor.is_integer
        and tensor.constant is None
        and tensor.scales is not None
        and float(tensor.scales[0]) in by_scale
    }
    followers = {group[0]: tuple(group) for group in by_scale.values()}
    weights = _weights(float_graph, graph)
    return Placement(open_model(model).spec, float_graph, graph, owner, followers, weights)


def _probes(graph: Graph) -> Bounds:
    """A different symmetric range for every activation but the input."""
    floats = [graph.tensors[i] for i in graph.activations if graph.tensors[i].type == "float32"]
    result: Bounds = {}
    for number, tensor in enumerate(floats, start=2):
        half = 1 + number * PROBE_STEP
        result[tensor.name] = -half, half
    if INPUT_NAME not in result:
        raise InputError(f"the file has no input named {INPUT_NAME}; make it with 'python -m convert'")
    return {**result, **dict.fromkeys(pixels(graph), PIXELS)}


def _weights(float_graph: Graph, graph: Graph) -> dict[int, str]:
    """Pair weights by layer: the quantizer keeps their order, and copies what two of them share."""
    before, after = ([one for one in each.operators if one.kind in WEIGHTED] for each in (float_graph, graph))
    sizes = [[each.macs for each in operators] for operators in (before, after)]
    if sizes[0] != sizes[1]:
        raise ValueError("the quantizer changed the order of the layers")
    stored = {
        index: operator.inputs[0]
        for operator in graph.operators
        for index in operator.outputs
        if operator.kind == "DEQUANTIZE"
    }
    result: dict[int, str] = {}
    for source, operator in zip(before, after, strict=True):
        for old, new in zip(source.inputs[1:3], operator.inputs[1:3], strict=True):
            if old >= 0:
                result[stored.get(new, new)] = float_graph.tensors[old].name
                result[new] = float_graph.tensors[old].name
    return result


class Scales(nn.Module):
    """Scales and zero points of one integer file, computed from ranges as the quantizer computes them.

    What is learned is the logarithm of each scale; zero points keep the value of the first range, and the
    input's range stays 0..255. The scale of a mean, and of what is joined with it, follows that of what the
    mean is computed from, in the ratio of the first ranges: that keeps sums off ties
    (`quantize.calibrate.bounds.without_ties`).
    """

    def __init__(self, placement: Placement, bounds: Bounds) -> None:
        """Start from given ranges of all activations of the float file."""
        super().__init__()
        self.placement, self.first = placement, dict(bounds)
        self.owners = sorted(set(placement.owner.values()))
        self.number = {name: index for index, name in enumerate(self.owners)}
        self.zero_points = [zero_point_of(*bounds[name]) for name in self.owners]
        starts = [float(np.log(scale_of(*bounds[name]))) for name in self.owners]
        self.logarithm = nn.Parameter(torch.tensor(starts))
        self.ratios = self._ratios()

    def _ratios(self) -> dict[str, tuple[str, float]]:
        """Owner of a mean's scale -> owner of its entry's scale, and the first scale over that one."""
        owner = self.placement.owner
        means = [operator for operator in self.placement.graph.operators if operator.kind == "MEAN"]
        sharing = Counter(owner.get(operator.outputs[0]) for operator in means)
        result = {}
        for operator in means:
            out, entry = owner.get(operator.outputs[0]), owner.get(operator.inputs[0])
            if out is not None and entry is not None and entry != out and sharing[out] == 1:
                first = [float(scale_of(*self.first[name])) for name in (out, entry)]
                result[out] = entry, first[0] / first[1]
        return result

    def bounds_of(self, name: str) -> tuple[float, float]:
        """The range of an owner's scale, both ends in single precision."""
        index = self.number[name]
        if name == INPUT_NAME:
            return self.first[name]
        scale = self._trained(name)
        if scale is None:
            return self.first[name]
        low = np.float32(LOWEST - self.zero_points[index]) * scale
        high = np.float32(HIGHEST - self.zero_points[index]) * scale
        return float(low), float(high)

    def _trained(self, name: str) -> np.float32 | None:
        """An owner's scale; None if it was never trained, so that its range is as it was given."""
        if name in self.ratios:
            entry, ratio = self.ratios[name]
            moved = self._trained(entry)
            return None if moved is None else np.float32(scale_of(*self.bounds_of(entry)) * ratio)
        start = scale_of(*self.first[name])
        scale = np.exp(np.float32(self.logarithm[self.number[name]].item()))
        return None if scale == np.exp(np.float32(np.log(start))) else scale

    def bounds(self) -> Bounds:
        """The present range of every activation of the float file, for the quantizer."""
        result = dict(self.first)
        for owner in self.owners:
            for name in self.placement.followers[owner]:
                result[name] = self.bounds_of(owner)
        return result

    def values(self) -> dict[int, tuple[Tensor, int]]:
        """Index of each integer activation of the file -> (scale, zero point)."""
        learned = self.logarithm.exp()
        each: dict[str, tuple[Tensor, int]] = {}
        for name in self.owners:
            low, high = self.bounds_of(name)
            exact = torch.tensor(scale_of(low, high))
            source, ratio = self.ratios.get(name, (name, 1.0))
            value = learned[self.number[source]] * ratio
            through = exact if name == INPUT_NAME else value + (exact - value).detach()
            each[name] = through, zero_point_of(low, high)
        return {index: each[name] for index, name in self.placement.owner.items()}
