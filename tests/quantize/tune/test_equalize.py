"""Equalization leaves the network as it is and brings its channels together."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from model.foundation.errors import GateError, InputError
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector
from model.networks import NETWORKS, spec_of
from model.runtime.running import TorchModel
from quantize.tune.equalize import QUIETEST, _channel_peaks, equalize, groups_of, require_equal

SIZE = 64


def _uneven(network: str) -> tuple[Detector, DetectorSpec, list[np.ndarray]]:
    """A network with random weights whose batch norms make loud and quiet channels."""
    torch.manual_seed(0)
    module = NETWORKS[network].build().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_var is not None
            nn.init.uniform_(part.running_var, 0.5, 2.0)
            part.weight.data = torch.exp(torch.randn_like(part.weight))
            nn.init.normal_(part.bias, 0.2, 0.2)
    images = [np.random.default_rng(i).integers(0, 256, (SIZE, SIZE, 3), np.uint8) for i in range(2)]
    return module, spec_of(network, SIZE, SIZE), images


@pytest.mark.parametrize("network", ["featherface_v2", "featherface_v1", "retinaface"])
def test_outputs_stay(network: str) -> None:
    module, spec, images = _uneven(network)
    before = copy.deepcopy(module)
    equalize(module, spec, images)
    changed = [
        name
        for (name, a), b in zip(module.state_dict().items(), before.state_dict().values(), strict=True)
        if not torch.equal(a, b)
    ]
    assert len(changed) > 40
    shares = require_equal(TorchModel(before, spec), TorchModel(module, spec), images, 1e-4)
    assert set(shares) == {"boxes", "scores", "landmarks"}


def test_channels_come_together() -> None:
    module, spec, images = _uneven("featherface_v2")
    groups = groups_of("featherface_v2")

    def spread() -> float:
        """Mean over makers of log2 loudest / median channel: the bits that the median channel misses."""
        peaks = _channel_peaks(module, spec, images, groups)
        return float(np.mean([np.log2(one.max() / max(np.median(one), 1e-6)) for one in peaks.values()]))

    before = spread()
    equalize(module, spec, images)
    assert spread() < before - 0.3


def test_silent_and_faint_channels_are_not_blown_up() -> None:
    module, spec, images = _uneven("featherface_v2")
    norm = module.get_submodule("backbone.stage1.1.pointwise.bn")
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        norm.weight[0], norm.bias[0] = 1e-3, -100.0  # no photograph wakes it
        norm.weight[1], norm.bias[1] = 1e-5, 1e-5
    before = norm.weight.detach().clone()
    equalize(module, spec, images)
    gains = (norm.weight / before).detach()
    assert gains[0] == 1
    assert float(gains[1] / gains[2:].min()) <= 1.01 / QUIETEST


def test_every_channel_of_a_group_exists() -> None:
    for network in ("featherface_v2", "featherface_v1", "retinaface"):
        modules = dict(NETWORKS[network].build().named_modules())
        for group in groups_of(network):
            for conv, norm in group.makers:
                assert modules[conv].weight.shape[0] == group.channels
                assert not norm or modules[norm].weight.shape == (group.channels,)
            for reader in group.readers:
                weight = modules[reader.layer].weight
                read = weight.shape[0] if weight.ndim == 4 and weight.shape[1] == 1 else weight.shape[1]
                assert reader.start + group.channels <= read


def test_a_difference_stops() -> None:
    module, spec, images = _uneven("featherface_v2")
    other = copy.deepcopy(module)
    with torch.no_grad():
        other.get_parameter("heads.boxes.bias").add_(0.1)
    with pytest.raises(GateError, match="changed boxes"):
        require_equal(TorchModel(module, spec), TorchModel(other, spec), images, 1e-4)


def test_unusable_input_is_refused() -> None:
    module, spec, _ = _uneven("featherface_v2")
    with pytest.raises(InputError, match="no photograph"):
        equalize(module, spec, [])
    with pytest.raises(InputError, match="expected one of"):
        groups_of("yolo")
