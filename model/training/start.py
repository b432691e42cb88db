"""What a student starts from: another network's backbone, and statistics measured on data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector, MobileNetV1
from model.networks.featherface_v2 import ConvBn, FeatherFaceV2, Separable


def channels_last(network: Detector) -> Detector:
    """The network with its weights laid out as the CPU's convolutions are fastest (NHWC)."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def start_from(student: FeatherFaceV2, donor: Detector, spec: DetectorSpec) -> None:
    """Copy the backbone of V1 or RetinaFace into a student, exactly but for the borders.

    The donor's channel order and mean go into the first convolution and its batch norm: the student
    takes plain RGB 0..255.

    Args:
        student: Changed in place.
        donor: Has a MobileNetV1 x0.25 named `body`. RetinaFace's has ReLUs as the student has; V1's has
            LeakyReLUs, so that its features differ.
        spec: The donor's.

    Raises:
        InputError: the donor has no such backbone.
    """
    body = getattr(donor, "body", None)
    if not isinstance(body, MobileNetV1):
        raise InputError(f"{spec.network} has no MobileNetV1 backbone to start from")
    stem = cast(nn.Sequential, body.stage1[0])
    _copy(student.backbone.stem, stem[0], stem[1])
    with torch.no_grad():
        weight = student.backbone.stem.conv.weight
        shift = (weight * torch.tensor(spec.mean)[None, :, None, None]).sum(dim=(1, 2, 3))
        student.backbone.stem.bn.get_buffer("running_mean").add_(shift)
        if spec.channel_order == "BGR":
            weight.copy_(weight.flip(1))
    mine = (*student.backbone.stage1, *student.backbone.stage2, *student.backbone.stage3)
    theirs = (*list(body.stage1)[1:], *body.stage2, *body.stage3)
    for block, layers in zip(mine, theirs, strict=True):
        own, parts = cast(Separable, block), cast(nn.Sequential, layers)
        _copy(own.depthwise, parts[0], parts[1])
        _copy(own.pointwise, parts[3], parts[4])


def _copy(unit: ConvBn, conv: nn.Module, norm: nn.Module) -> None:
    unit.conv.load_state_dict(conv.state_dict())
    unit.bn.load_state_dict(norm.state_dict())


@torch.no_grad()
def measure_statistics(
    student: FeatherFaceV2, batches: Iterable[Tensor], parts: tuple[str, ...] = ()
) -> None:
    """Set batch-norm statistics to the average over some batches; the weights stay.

    Args:
        student: Changed in place; left with constant statistics.
        batches: Network inputs.
        parts: Prefixes of the modules to measure; all if empty.
    """
    units = [
        (unit, unit.bn)
        for name, unit in student.named_modules()
        if isinstance(unit, ConvBn)
        and isinstance(unit.bn, nn.BatchNorm2d)
        and (not parts or name.startswith(parts))
    ]
    was_training = student.training
    for unit, norm in units:
        unit.learn_statistics = True
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
        norm.train()
    for pixels in batches:
        student(pixels)
    for unit, norm in units:
        unit.learn_statistics = False
        norm.momentum = 0.1
    student.train(was_training)
