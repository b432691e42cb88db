"""A file's trained constants, written back into the network they came from: all files are made of that."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.checkpoint import write_saved
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector

Constants = Mapping[str, NDArray[np.float32]]
Layer = nn.Conv2d | nn.Linear

SAME_WEIGHT = 1e-4
"""A weight of the file may differ from the network's by so much, relative to the layer's largest: folding in
another order of operations rounds otherwise."""


def with_constants(
    network: Detector, spec: DetectorSpec, constants: Constants, before: Constants | None = None
) -> Detector:
    """A copy of a network whose layers compute with given folded weights and biases.

    Batch norms behind them become identities that fold without rounding: converting the result gives the
    constants bit by bit, or, where the converter multiplied a layer by a factor that followed it (the
    weights of V1's fusions), to the last bits of single precision.

    Args:
        network: That the constants' file was made from.
        spec: Its conventions: a BGR network's first convolution reads the colours backwards.
        constants: "path/of/layer/weight" and "path/of/layer/bias" -> float32 in TFLite's order; a bias that
            is not given stays what it is.
        before: The same, as the file of this very network has them: they tell what the converter
            multiplied a layer by. Without, by nothing.

    Raises:
        ValueError: a constant belongs to no convolution or linear layer of the network, or does not fit.
    """
    result = copy.deepcopy(network)
    layers = dict(_layers(result))
    with torch.no_grad():
        for path in {name.rsplit("/", 1)[0] for name in constants}:
            if path not in layers:
                raise ValueError(f"{path} is no convolution or linear layer of the network")
            layer, norm = layers[path]
            weight = _as_computed(layer, constants[f"{path}/weight"], spec)
            own = _folded_bias(layer, norm)
            factor = 1.0
            if before is not None:
                factor = _factor(_as_computed(layer, before[f"{path}/weight"], spec), layer, norm, path)
            given = constants.get(f"{path}/bias")
            bias = own if given is None else torch.from_numpy(given) / factor
            _set_weight(layer, weight / factor)
            if norm is not None:
                _make_identity(norm, bias)
                if layer.bias is not None:
                    layer.bias.zero_()
            elif layer.bias is not None:
                layer.bias.copy_(bias)
            elif bias.any():
                raise ValueError(f"{path} has neither a bias nor a batch norm to hold one")
    return result


def without_place(network: Detector, names: Iterable[str]) -> set[str]:
    """Those of a file's biases that the network has no bias and no batch norm for: they have to stay zero."""
    layers = dict(_layers(network))
    places = {name: layers.get(name.removesuffix("/bias")) for name in names if name.endswith("/bias")}
    return {name for name, place in places.items() if place and place[0].bias is None and place[1] is None}


def save_weights(network: Detector, path: Path) -> None:
    """Write a state dict that `load_checkpoint` reads, whole or not at all."""
    write_saved(path, {name: value.contiguous() for name, value in network.state_dict().items()})


def _layers(network: nn.Module) -> list[tuple[str, tuple[Layer, nn.BatchNorm2d | None]]]:
    """Each layer by its name in a file, and the batch norm that is folded into it.

    A layer that is alone in a module, or alone with its batch norm, is known by the module's name, too.
    """
    found: list[tuple[str, tuple[Layer, nn.BatchNorm2d | None]]] = []
    for path, parent in [("", network), *network.named_modules()]:
        children = list(parent.named_children())
        if len(children) == 1 and _wrapped(parent) is not None:
            continue  # its own parent knows what follows it
        followers = {name: after for (name, _), (_, after) in pairwise(children)}
        for name, child in children:
            layer = child if isinstance(child, nn.Conv2d | nn.Linear) else _wrapped(child)
            if layer is None:
                continue
            after = followers.get(name)
            pair = layer, after if isinstance(after, nn.BatchNorm2d) else None
            base = path.replace(".", "/")
            full = f"{base}/{name}" if base else name
            found.append((full, pair))
            if layer is not child:
                found.append((f"{full}/{next(iter(child._modules))}", pair))
            if hasattr(parent, "learn_statistics"):
                found.append((base, pair))
    return found


def _wrapped(module: nn.Module) -> Layer | None:
    """The layer that is a module's only child."""
    children = list(module.children())
    return children[0] if len(children) == 1 and isinstance(children[0], nn.Conv2d | nn.Linear) else None


def _as_computed(layer: Layer, constant: NDArray[np.float32], spec: DetectorSpec) -> Tensor:
    """A weight in TFLite's order as PyTorch computes with it."""
    value = torch.from_numpy(constant)
    if value.ndim == 4:
        depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
        value = value.permute(3, 0, 1, 2) if depthwise else value.permute(0, 3, 1, 2)
        if spec.channel_order == "BGR" and value.shape[1] == 3:
            value = value.flip(1)
    return value.reshape(layer.weight.shape)


def _computed_with(layer: Layer) -> Tensor:
    """What a layer computes with: its weight, unless it puts it in another order first."""
    rearranged: Callable[[], dict[str, Tensor]] | None = getattr(layer, "convolution_weights", None)
    return layer.weight if rearranged is None else rearranged()[""]


def _folded_bias(layer: Layer, norm: nn.BatchNorm2d | None) -> Tensor:
    """What a layer and the batch norm behind it add."""
    bias = torch.zeros(layer.weight.shape[0]) if layer.bias is None else layer.bias.detach().clone()
    return bias if norm is None else (bias - norm.get_buffer("running_mean")) * _scale(norm) + norm.bias


def _scale(norm: nn.BatchNorm2d) -> Tensor:
    """What a batch norm multiplies each channel by."""
    return norm.weight * torch.rsqrt(norm.get_buffer("running_var") + norm.eps)


def _set_weight(layer: Layer, value: Tensor) -> None:
    """Make a layer compute with a weight."""
    numbers = torch.arange(value.numel(), dtype=torch.float64).reshape(value.shape)
    stored = layer.weight.dtype
    layer.double().weight.copy_(numbers)  # where each weight goes
    places = _computed_with(layer).long().reshape(-1)
    layer.to(stored).weight.view(-1)[places] = value.reshape(-1)


def _factor(before: Tensor, layer: Layer, norm: nn.BatchNorm2d | None, path: str) -> float:
    """What the converter multiplied a layer by, once its batch norm was folded; 1 where nothing."""
    weight = _computed_with(layer)
    if norm is not None:
        weight = weight * _scale(norm).reshape(-1, *[1] * (weight.ndim - 1))
    factor = float((before * weight).sum() / weight.square().sum())
    if not float((before - factor * weight).abs().max()) <= SAME_WEIGHT * float(before.abs().max()):
        raise ValueError(f"{path} in the file is no multiple of the network's")
    return 1.0 if abs(factor - 1) <= SAME_WEIGHT else factor


def _make_identity(norm: nn.BatchNorm2d, bias: Tensor) -> None:
    """Let a batch norm add a bias and do nothing else: variance + eps is 1 in single precision."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    mean.zero_()
    variance.fill_(1.0).sub_(norm.eps)
    norm.weight.fill_(1.0)
    norm.bias.copy_(bias)
    if not bool((variance + norm.eps == 1).all()):
        raise ValueError(f"a batch norm with eps {norm.eps} cannot be made an identity exactly")
