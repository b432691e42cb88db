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
from dataclasses import dataclass
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
from model.networks.featherface_v1 import LEAK
from model.runtime.running import Answers

QUIETEST = 0.03
"""Channels below this share of the loudest are treated as if they had it."""


@dataclass(frozen=True)
class Reader:
    """A layer that reads a group's channels, as its input channels `start` to `start + channels`."""

    layer: str
    start: int = 0


@dataclass(frozen=True)
class Group:
    """Channels that must be scaled together.

    Attributes:
        channels: How many.
        makers: Names of convolutions (and of their batch norms, or "") whose outputs they are.
        readers: Layers that read them.
        slope: Of the activation behind the makers for negative values: 0 for a ReLU, 1 for none.
    """

    channels: int
    makers: tuple[tuple[str, str], ...]
    readers: tuple[Reader, ...]
    slope: float = 0.0


def equalize(network: Detector, spec: DetectorSpec, photographs: Iterable[Pixels], rounds: int = 2) -> None:
    """Equalize a network in place; its outputs stay the same.

    Args:
        network: In evaluation mode, with its batch norms.
        spec: Says its name and how images are fed.
        photographs: uint8 RGB [H, W, 3] of the spec's size.
        rounds: Passes over all groups; each changes the balance of the next.

    Raises:
        InputError: no rule is known for the network, or there is no photograph.
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
        InputError: none are known for it.
    """
    known: dict[str, Callable[[], list[Group]]] = {
        "featherface_v2": _v2_groups,
        "featherface_v1": lambda: _mobilenet_groups(slope=LEAK),
        "retinaface": lambda: _mobilenet_groups(slope=0.0),
    }
    if network not in known:
        raise InputError(f"no equalization is known for {network!r}: expected one of {', '.join(known)}")
    return known[network]()


_STAGES = (
    (1, ((8, 16), (16, 32), (32, 32), (32, 64), (64, 64))),
    (2, ((64, 128), *[(128, 128)] * 5)),
    (3, ((128, 256), (256, 256))),
)


def _mobilenet_groups(slope: float) -> list[Group]:
    """Within the stages of V1's and RetinaFace's backbone; what leaves a stage goes through sigmoid gates."""
    groups = []
    for stage, blocks in _STAGES:
        before: tuple[str, str] | None = None
        if stage == 1:
            before = ("body.stage1.0.0", "body.stage1.0.1")
        for number, (inputs, _outputs) in enumerate(blocks):
            block = f"body.stage{stage}.{number + (stage == 1)}"
            if before is not None:
                groups.append(Group(inputs, (before,), (Reader(f"{block}.0"),), slope))
            groups.append(Group(inputs, ((f"{block}.0", f"{block}.1"),), (Reader(f"{block}.3"),), slope))
            before = (f"{block}.3", f"{block}.4")
    return groups


def _conv(name: str) -> tuple[str, str]:
    return f"{name}.conv", f"{name}.bn"


def _within(separable: str, channels: int, slope: float = 1.0) -> Group:
    """Between the two convolutions of a separable one; none of the neck's has an activation there."""
    maker, reader = _conv(f"{separable}.depthwise"), Reader(f"{separable}.pointwise.conv")
    return Group(channels, (maker,), (reader,), slope)


def _v2_groups() -> list[Group]:
    groups = _v2_backbone()
    cells = [f"fusion.{cell}.{part}" for cell in (0, 1) for part in ("up4", "up3", "down4", "down5")]
    gates = [f"attention.{level}" for level in range(3)]
    after = [Reader(f"context.{branch}.depthwise.conv") for branch in ("reach3", "reach5_in")]
    # Every map of the neck is a sum with another one, so that all share their factors.
    groups.append(
        Group(
            32,
            (*(_conv(f"laterals.{i}") for i in range(3)), *(_conv(f"{cell}.pointwise") for cell in cells)),
            (
                *(Reader(f"{cell}.depthwise.conv") for cell in cells),
                *(Reader(f"{gate}.{part}") for gate in gates for part in ("squeeze", "look.conv")),
                *after,
            ),
        )
    )
    groups += [_within(cell, 32) for cell in cells]
    for gate in gates:
        groups.append(Group(8, ((f"{gate}.squeeze", ""),), (Reader(f"{gate}.excite"),)))
        groups.append(Group(32, (_conv(f"{gate}.look"),), (Reader(f"{gate}.mask"),)))
    return groups + _v2_context()


def _v2_backbone() -> list[Group]:
    groups = []
    makers: tuple[str, str] = _conv("backbone.stem")
    for stage, blocks in _STAGES:
        for number, (inputs, _) in enumerate(blocks):
            block = f"backbone.stage{stage}.{number}"
            also = [Reader(f"laterals.{stage - 2}.conv")] if number == 0 and stage > 1 else []
            groups.append(Group(inputs, (makers,), (Reader(f"{block}.depthwise.conv"), *also)))
            groups.append(_within(block, inputs, slope=0.0))
            makers = _conv(f"{block}.pointwise")
    groups.append(Group(256, (makers,), (Reader("laterals.2.conv"),)))
    return groups


def _v2_context() -> list[Group]:
    def branch(name: str) -> str:
        return f"context.{name}"

    def pointwise(name: str) -> tuple[tuple[str, str], ...]:
        return (_conv(f"{branch(name)}.pointwise"),)

    inner = (Reader("context.reach5.depthwise.conv"), Reader("context.reach7_in.depthwise.conv"))
    heads = tuple(Reader(f"heads.{output}") for output in ("boxes", "scores", "landmarks"))
    joined = "heads.tower.depthwise.conv"
    return [
        *(_within(branch(name), 32) for name in ("reach3", "reach5_in")),
        Group(8, pointwise("reach5_in"), inner),
        *(_within(branch(name), 8) for name in ("reach5", "reach7_in")),
        Group(8, pointwise("reach7_in"), (Reader("context.reach7.depthwise.conv"),)),
        _within(branch("reach7"), 8),
        Group(16, pointwise("reach3"), (Reader(joined, 0),)),
        Group(8, pointwise("reach5"), (Reader(joined, 16),)),
        Group(8, pointwise("reach7"), (Reader(joined, 24),)),
        _within("heads.tower", 32),
        Group(32, (_conv("heads.tower.pointwise"),), heads),
    ]


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
