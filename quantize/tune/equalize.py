"""Cross-layer equalization: scale channels between layers so that one activation scale suits them all.

An exact rewrite of a checkpoint. What makes a channel is divided by s, what reads it multiplied by s;
everything between the two (ReLU, LeakyReLU, sums, pooling, resizing, concatenation, a product with a
gate) commutes with a positive factor. A ReLU6 or a sigmoid does not: what such a gate reads is no
producer here.

Source: Nagel et al., Data-free quantization through weight equalization and bias correction, 2019,
section 4.1. Its ranges of weight rows are replaced by the ranges of the channels themselves, measured on
photographs: weights have a scale for each output channel here, activations have one for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convert.deployed import fold_batch_norms
from convert.difference import TensorSums
from model.foundation.errors import GateError, InputError
from model.geometry.letterbox import Pixels, network_input
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector
from model.layers.channel_groups import Group, Reader
from model.networks import NETWORKS
from model.runtime.running import Answers

QUIETEST = 0.03
"""Channels below this share of the loudest are treated as if they had it."""


def equalize(network: Detector, spec: DetectorSpec, photographs: Iterable[Pixels], rounds: int = 2) -> None:
    """Equalize a network in place; its outputs stay the same.

    Args:
        network: In evaluation mode, with its batch norms.
        spec: Says its name and how images are fed.
        photographs: uint8 RGB [H, W, 3] of the spec's size.
        rounds: Passes over all groups; each changes the balance of the next.

    Raises:
        InputError: the network says nothing of its channels, or there is no photograph.
    """
    groups = groups_of(spec.network)
    loudest = _channel_peaks(network, spec, photographs, groups)
    modules = dict(network.named_modules())
    for _ in range(rounds):
        for group in groups:
            peaks = np.max([loudest[_named(maker)] for maker in group.makers], axis=0)
            factors = _factors(peaks, group, modules)
            _rescale(group, modules, factors)
            for maker in group.makers:
                loudest[_named(maker)] = loudest[_named(maker)] / factors


def require_equal(
    before: Answers, after: Answers, images: Sequence[Pixels], limit: float
) -> dict[str, float]:
    """Hold an equalized network against the original.

    Args:
        before, after: The two.
        images: uint8 RGB [H, W, 3].
        limit: Largest difference, as a share of the output's largest value.

    Returns:
        Output -> largest difference as such a share.

    Raises:
        GateError: one is above the limit or not a number.
    """
    sums = {name: TensorSums() for name in ("boxes", "scores", "landmarks")}
    for image in images:
        for one, a, b in zip(sums.values(), before(image), after(image), strict=True):
            one.add(a, b)
    shares = {name: one.result().share for name, one in sums.items()}
    for name, share in shares.items():
        if not share <= limit:
            raise GateError(
                f"equalization changed {name} by {share:.2g} of its largest value (limit {limit:g})"
            )
    return shares


def groups_of(network: str) -> list[Group]:
    """The groups of channels that a network allows to scale.

    Raises:
        InputError: unknown network, or it says nothing of its channels.
    """
    groups = NETWORKS[network].channel_groups
    if groups is None:
        raise InputError(
            f"{network} does not say which of its channels scale together: see Network.channel_groups"
        )
    return groups()


def _named(maker: tuple[str, str]) -> str:
    return maker[0]


def _channel_peaks(
    network: Detector, spec: DetectorSpec, photographs: Iterable[Pixels], groups: list[Group]
) -> dict[str, NDArray[np.float64]]:
    """Largest |x| of each channel that a maker makes, over all photographs, behind its activation.

    Faint channels count as QUIETEST; 0 is a channel that no photograph woke.
    """
    folded = fold_batch_norms(network)
    peaks: dict[str, NDArray[np.float64]] = {}
    layers = dict(folded.named_modules())

    def watch(name: str, slope: float) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            found = torch.maximum(output, -slope * output).amax(dim=(0, 2, 3)).double().numpy()
            found = np.maximum(found, 0.0)
            peaks[name] = np.maximum(peaks.get(name, 0.0), found)

        return hook

    for group in groups:
        for maker in map(_named, group.makers):
            # V2's convolutions are computed by the module around them, which folds its batch norm.
            layers[maker.removesuffix(".conv")].register_forward_hook(watch(maker, group.slope))
    count = 0
    for image in photographs:
        count += 1
        with torch.inference_mode():
            folded(torch.from_numpy(network_input(image, spec)))
    if not count:
        raise InputError("no photograph to measure channels on")
    return {
        name: np.where(found > 0, np.maximum(found, QUIETEST * found.max()), 0.0)
        for name, found in peaks.items()
    }


def _factors(
    peaks: NDArray[np.float64], group: Group, modules: Mapping[str, nn.Module]
) -> NDArray[np.float64]:
    """s of each channel, around 1: the channel's peak, balanced with the weights that read it.

    A depthwise reader has a weight scale for each channel, so it takes any factor; others share a scale
    among their input channels, and the factor is the root of the peak over the weights' size. A channel
    that no photograph woke tells nothing and keeps its weights: enlarged a hundredfold they would drown
    all others on the day one does.
    """
    alive = peaks > 0
    if not alive.any():
        return np.ones_like(peaks)
    sizes = [size for reader in group.readers if (size := _read_size(reader, group, modules)) is not None]
    factors = peaks if not sizes else np.sqrt(peaks / np.max(sizes, axis=0))
    return np.where(alive, factors / np.exp(np.log(factors[alive]).mean()), 1.0)


def _read_size(reader: Reader, group: Group, modules: Mapping[str, nn.Module]) -> NDArray[np.float64] | None:
    """Largest weight on each channel relative to its row, or None for a depthwise reader."""
    weight = _weight(modules, reader.layer)
    if weight.ndim == 4 and weight.shape[1] == 1:
        return None
    magnitude = (
        weight.detach().double().abs().flatten(2).amax(2) if weight.ndim == 4 else weight.detach().abs()
    )
    part = magnitude[:, reader.start : reader.start + group.channels].double().numpy()
    rows = magnitude.amax(1).double().numpy()[:, None]
    size = np.divide(part, rows, out=np.zeros_like(part), where=rows > 0).max(axis=0)
    return np.asarray(np.maximum(size, QUIETEST * size.max()))


def _weight(modules: Mapping[str, nn.Module], name: str) -> Tensor:
    weight = modules[name].weight
    assert isinstance(weight, Tensor)
    return weight


def _rescale(group: Group, modules: Mapping[str, nn.Module], factors: NDArray[np.float64]) -> None:
    """Divide what makes the channels, multiply what reads them."""
    factor = torch.from_numpy(factors).float()
    with torch.no_grad():
        for conv, norm in group.makers:
            owner = modules[norm or conv]
            weight, bias = owner.weight, owner.bias
            assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
            weight /= factor.reshape(-1, *[1] * (weight.ndim - 1))
            bias /= factor
        for reader in group.readers:
            weight = _weight(modules, reader.layer)
            part = slice(reader.start, reader.start + group.channels)
            if weight.ndim == 4 and weight.shape[1] == 1:
                weight[part] *= factor[:, None, None, None]
            else:
                weight[:, part] *= factor.reshape(1, -1, *[1] * (weight.ndim - 2))
