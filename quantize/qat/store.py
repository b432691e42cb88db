"""Trained constants of a file back into the network they came from, so that any file can be made of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.artifact import replacing
from model.blocks import Detector
from model.spec import DetectorSpec

Constants = Mapping[str, NDArray[np.float32]]


def with_constants(network: Detector, spec: DetectorSpec, constants: Constants) -> Detector:
    """A copy of a network whose layers compute with given folded weights and biases.

    Batch norms behind them become identities that fold without rounding: converting the result gives the
    constants bit by bit.

    Args:
        network: That the constants' file was made from.
        spec: Its conventions: a BGR network's first convolution reads the colours backwards.
        constants: "path/of/layer/weight" and "path/of/layer/bias" -> float32 in TFLite's order.

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
            _set_weight(layer, torch.from_numpy(constants[f"{path}/weight"]), spec)
            bias = torch.from_numpy(constants[f"{path}/bias"])
            if norm is not None:
                _make_identity(norm, bias)
                if layer.bias is not None:
                    layer.bias.zero_()
            elif layer.bias is not None:
                layer.bias.copy_(bias)
            elif bias.any():
                raise ValueError(f"{path} has neither a bias nor a batch norm to hold one")
    return result


def save_weights(network: Detector, path: Path) -> None:
    """Write a state dict that `load_checkpoint` reads, whole or not at all."""
    with replacing(path) as temporary:
        torch.save({name: value.contiguous() for name, value in network.state_dict().items()}, temporary)


def _layers(network: nn.Module) -> list[tuple[str, tuple[nn.Conv2d | nn.Linear, nn.BatchNorm2d | None]]]:
    """Each layer by its name in a file, and the batch norm that is folded into it.

    A layer that is alone with its batch norm in a module is known by the module's name, too.
    """
    found: list[tuple[str, tuple[nn.Conv2d | nn.Linear, nn.BatchNorm2d | None]]] = []
    for path, parent in [("", network), *network.named_modules()]:
        children = list(parent.named_children())
        followers = {name: after for (name, _), (_, after) in pairwise(children)}
        for name, child in children:
            if not isinstance(child, nn.Conv2d | nn.Linear):
                continue
            after = followers.get(name)
            pair = child, after if isinstance(after, nn.BatchNorm2d) else None
            base = path.replace(".", "/")
            found.append((f"{base}/{name}" if base else name, pair))
            if hasattr(parent, "learn_statistics"):
                found.append((base, pair))
    return found


def _set_weight(layer: nn.Conv2d | nn.Linear, value: Tensor, spec: DetectorSpec) -> None:
    if value.ndim == 4:
        depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
        value = value.permute(3, 0, 1, 2) if depthwise else value.permute(0, 3, 1, 2)
        if spec.channel_order == "BGR" and value.shape[1] == 3:
            value = value.flip(1)
    layer.weight.copy_(value.reshape(layer.weight.shape))


def _make_identity(norm: nn.BatchNorm2d, bias: Tensor) -> None:
    """Let a batch norm add a bias and do nothing else: variance + eps is 1 in single precision."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    mean.zero_()
    variance.fill_(1.0).sub_(norm.eps)
    norm.weight.fill_(1.0)
    norm.bias.copy_(bias)
    if not bool((variance + norm.eps == 1).all()):
        raise ValueError(f"a batch norm with eps {norm.eps} cannot be made an identity exactly")
