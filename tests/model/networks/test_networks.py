"""The networks against their authors' outputs and their budgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from model.checkpoint import load_checkpoint
from model.geometry.letterbox import network_input
from model.networks import NETWORKS, spec_of
from model.networks.featherface_v1 import FeatherFaceV1
from model.networks.featherface_v2 import ConvBn, FeatherFaceV2, Separable

GOLDENS = {
    "featherface_v1": ("featherface_v1_w64.pth", "featherface_v1"),
    "retinaface": ("retinaface_mnet025.pth", "retinaface_mnet025"),
}


@pytest.mark.parametrize("size", [320, 640])
@pytest.mark.parametrize("name", GOLDENS)
def test_published_weights_give_their_authors_outputs(shared: Path, name: str, size: int) -> None:
    checkpoint, golden = GOLDENS[name]
    network = load_checkpoint(shared / "checkpoints" / checkpoint, name).network
    expected = np.load(shared / "goldens" / f"{golden}_{size}.npz")
    rgb = np.ascontiguousarray(expected["image_bgr"][..., ::-1])
    with torch.inference_mode():
        outputs = network(torch.from_numpy(network_input(rgb, spec_of(name, size, size))))
    for output, key in zip(outputs, ("boxes", "scores", "landmarks"), strict=True):
        np.testing.assert_allclose(output.numpy(), expected[key], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_have_the_shapes_the_spec_says_for_a_batch_of_rectangles(name: str) -> None:
    spec = spec_of(name, 64, 96)
    network = NETWORKS[name].build().eval()
    with torch.inference_mode():
        outputs = network(torch.randn(2, 3, 64, 96))
    assert [tuple(o.shape) for o in outputs] == [(2, *shape[1:]) for shape in spec.output_shapes]
    assert all(torch.isfinite(o).all() for o in outputs)


def test_a_batch_is_as_its_images_alone() -> None:
    """The deformable convolution looks rows up in one table for the whole batch."""
    torch.manual_seed(0)
    network = FeatherFaceV1(16).eval()
    images = torch.randn(3, 3, 64, 96)
    with torch.inference_mode():
        joined = network(images)
        alone = [network(images[i : i + 1]) for i in range(3)]
    for i, output in enumerate(joined):
        torch.testing.assert_close(output, torch.cat([single[i] for single in alone]), atol=1e-5, rtol=0)


def _parameters(name: str, part: str | None = None) -> int:
    kind = NETWORKS[name]
    prefixes = ("",) if part is None else kind.parts[part]
    return sum(p.numel() for key, p in kind.build().named_parameters() if key.startswith(prefixes))


def test_parameter_counts_of_the_published_networks() -> None:
    assert _parameters("featherface_v1") == 592_371
    assert _parameters("retinaface") == 426_608


def test_the_parts_are_the_whole() -> None:
    for name, kind in NETWORKS.items():
        assert sum(_parameters(name, part) for part in kind.parts) == _parameters(name)


def test_v2_keeps_its_budgets() -> None:
    assert _parameters("featherface_v2") <= 250_000
    assert _parameters("featherface_v2", "attention") <= 0.25 * _parameters("featherface_v1", "attention")
    assert _parameters("featherface_v2", "heads") <= 0.5 * _parameters("featherface_v1", "heads")


def test_v2_is_made_of_what_integer_kernels_have() -> None:
    network = FeatherFaceV2()
    for module in network.modules():
        assert not isinstance(module, nn.SiLU | nn.LeakyReLU | nn.Sigmoid | nn.Hardswish)
        if isinstance(module, nn.Conv2d):
            assert module.dilation == (1, 1)


def test_v2_trains_what_it_deploys(rng: np.random.Generator) -> None:
    """With constant statistics the one folded convolution equals convolution, batch norm."""
    layer = ConvBn(4, 6, 3)
    layer.bn.running_mean = torch.from_numpy(rng.normal(size=6).astype(np.float32))
    layer.bn.running_var = torch.from_numpy(rng.uniform(0.5, 2, 6).astype(np.float32))
    x = torch.from_numpy(rng.normal(size=(2, 4, 8, 8)).astype(np.float32))
    torch.testing.assert_close(layer(x), layer.bn.eval()(layer.conv(x)), atol=1e-5, rtol=1e-5)


def test_shared_layers_learn_one_set_of_statistics_over_all_levels(rng: np.random.Generator) -> None:
    layer = Separable(4, 4).train()
    levels = [
        torch.from_numpy(rng.normal(i, 1 + i, (2, 4, 8 >> i, 8 >> i)).astype(np.float32)) for i in range(3)
    ]
    layer.depthwise.learn_statistics = True
    layer.depthwise.bn.momentum = 1.0
    layer.depthwise.shared(levels)
    maps = torch.cat([layer.depthwise.conv(x).flatten(2) for x in levels], dim=2)
    torch.testing.assert_close(layer.depthwise.bn.running_mean, maps.mean(dim=(0, 2)), atol=1e-5, rtol=1e-5)


def test_shared_layers_are_the_same_function_on_every_level(rng: np.random.Generator) -> None:
    layer = Separable(4, 4).eval()
    levels = [torch.from_numpy(rng.normal(size=(1, 4, 8 >> i, 8 >> i)).astype(np.float32)) for i in range(3)]
    for together, x in zip(layer.shared(levels), levels, strict=True):
        torch.testing.assert_close(together, layer(x))
