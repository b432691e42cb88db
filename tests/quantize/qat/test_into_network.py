"""Trained constants back in the network they came from."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from convert.deployed import fold_batch_norms
from convert.tflite.naming import weighted_layers
from model.checkpoint import load_checkpoint
from model.layers.blocks import Detector
from model.networks import NETWORKS, spec_of
from model.runtime.running import TorchModel
from quantize.qat.into_network import with_constants, without_place
from tests.conftest import EMBEDDED, Converted
from tests.quantize.qat.conftest import Integers


def test_constants_fold_back_without_rounding(integers: Integers, converted: Converted) -> None:
    constants = {name: value * np.float32(1.1) for name, value in integers.mirror().weights.arrays().items()}
    network = load_checkpoint(EMBEDDED, "featherface_v2").network
    folded = dict(fold_batch_norms(with_constants(network, converted.spec, constants)).named_parameters())
    weight = constants["backbone/stage2/1/pointwise/weight"]
    bias = constants["backbone/stage2/1/pointwise/bias"]
    found = folded["backbone.stage2.1.pointwise.conv.weight"].detach().permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(found, weight)
    np.testing.assert_array_equal(folded["backbone.stage2.1.pointwise.conv.bias"].detach().numpy(), bias)
    with pytest.raises(ValueError, match="nowhere is no convolution"):
        with_constants(network, converted.spec, {"nowhere/weight": weight, "nowhere/bias": bias})


def _as_in_a_file(network: Detector) -> dict[str, np.ndarray]:
    """Folded weights and biases of V1's plain convolutions by their names in a TFLite file."""
    folded = fold_batch_norms(network)
    constants = {f"{name}/weight": np.array(weight) for name, weight in weighted_layers(folded)}
    for path, layer in folded.named_modules():
        name = f"{path.replace('.', '/')}/bias"
        if isinstance(layer, torch.nn.Conv2d) and layer.bias is not None:
            constants[name] = layer.bias.detach().numpy().copy()
    first = "body/stage1/0/0/weight"
    constants[first] = constants[first][..., ::-1].copy()  # files read RGB
    return {name: value for name, value in constants.items() if not re.match("ssh[123]/|.*mlp", name)}


def test_v1_has_a_way_back(rng: np.random.Generator) -> None:
    """Wrapped convolutions, a channel shuffle, and fusion weights that the converter multiplied into them."""
    network, spec = NETWORKS["featherface_v1"].build().eval(), spec_of("featherface_v1", 64, 64)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.get_buffer("running_mean"), -0.2, 0.2)
            torch.nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
    before = _as_in_a_file(network)
    projection = "bifpn/0/p4_down_channel/0/conv"
    before |= {
        f"{projection}/{role}": before[f"{projection}/{role}"] * np.float32(0.3)
        for role in ("weight", "bias")
    }
    picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
    wanted = TorchModel(network, spec)(picture)
    for found, value in zip(
        TorchModel(with_constants(network, spec, before, before), spec)(picture), wanted, strict=True
    ):
        np.testing.assert_allclose(found, value, atol=1e-4)
    trained = {name: value * np.float32(1.1) for name, value in before.items()}
    again = _as_in_a_file(with_constants(network, spec, trained, before))
    for name, value in trained.items():
        factor = 0.3 if name.startswith(projection) else 1
        np.testing.assert_allclose(again[name] * np.float32(factor), value, rtol=1e-6)
    with pytest.raises(ValueError, match=f"{projection} in the file is no multiple"):
        before[f"{projection}/weight"][0] *= 2
        with_constants(network, spec, trained, before)


def test_biases_that_the_network_cannot_hold_stay_zero() -> None:
    network = NETWORKS["featherface_v1"].build()
    names = (
        "bifpn/0/conv4_up/depthwise_conv/conv/bias",
        "bifpn/0/conv4_up/pointwise_conv/conv/bias",
        "body/stage1/0/0/bias",
    )
    assert without_place(network, names) == {names[0]}
