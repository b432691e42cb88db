"""Folding batch norms, channel order and mean is exact, at the borders too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from convert.deployed import Deployed, fold_batch_norms
from convert.tflite.naming import same_layer
from model.layers.blocks import Detector
from model.networks import NETWORKS, spec_of
from model.runtime.running import TorchModel


def _shaken(name: str) -> Detector:
    """A network whose batch norms do something."""
    torch.manual_seed(0)
    network = NETWORKS[name].build().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 2.0)
    return network


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_deployed_network_is_the_bare_one(name: str, layout: str, rng: np.random.Generator) -> None:
    spec = spec_of(name, 64, 96)
    network = _shaken(name)
    pixels = rng.integers(0, 256, (64, 96, 3), np.uint8)
    expected = TorchModel(network, spec)(pixels)
    image = torch.from_numpy(pixels[None].astype(np.float32))
    with torch.inference_mode():
        found = Deployed(network, spec, layout)(image if layout == "NHWC" else image.permute(0, 3, 1, 2))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b.numpy(), a, atol=2e-3 * max(1.0, float(np.abs(a).max())))


@pytest.mark.parametrize("name", NETWORKS)
def test_no_batch_norm_is_left_and_the_original_is_untouched(name: str) -> None:
    network = _shaken(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fold_batch_norms(network).modules())
    torch.testing.assert_close(network.state_dict(), before)


def test_the_borders_see_the_mean_colour_and_not_black() -> None:
    """A picture of nothing but the mean colour has no edge: every output of a row of cells is as inside."""
    spec = spec_of("retinaface", 64, 64)
    deployed = Deployed(_shaken("retinaface"), spec, "NHWC")
    mean_rgb = torch.tensor(spec.mean[::-1]).reshape(1, 1, 1, 3).expand(1, 64, 64, 3)
    stem = deployed.network.get_submodule("body.stage1.0")
    seen: list[torch.Tensor] = []
    stem.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.inference_mode():
        deployed(mean_rgb)
    assert torch.equal(seen[0], seen[0][..., 5:6, 5:6].expand_as(seen[0]))


def test_a_layer_is_known_by_its_weight_and_by_a_multiple_of_it(rng: np.random.Generator) -> None:
    first, second = (rng.normal(size=(8, 1, 1, 4)).astype(np.float32) for _ in range(2))
    layers = [("first", first), ("second", second)]
    assert same_layer(second, layers) == "second"
    assert same_layer(second * np.float32(0.3), layers) == "second"
    assert same_layer(-second, layers) is None
    assert same_layer(second + np.float32(0.01), layers) is None
