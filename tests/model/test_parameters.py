import json

import pytest
import torch
from torch import nn

from model.__main__ import main
from model.foundation.errors import InputError
from model.networks import NETWORKS
from model.parameters import summarize


def macs_by_hooks(network, height, width):
    """Independent count: every convolution's and linear layer's work from the shapes that pass through it."""
    total = 0

    def count(module, _, output):
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output.numel() * module.in_channels // module.groups * module.weight[0, 0].numel()
        else:
            total += output.numel() * module.in_features

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 3, height, width))
    return total


@pytest.mark.parametrize("size", [(96, 128), (64, 64)])
def test_retinaface_against_hooks(size):
    summary = summarize("retinaface", *size)
    assert summary.part("all").macs == macs_by_hooks(NETWORKS["retinaface"].build(), *size)
    assert summary.part("all").parameters == 426_608


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_parts_add_up(name):
    summary = summarize(name, 64, 64)
    whole = summary.part("all")
    assert whole.parameters == sum(part.parameters for part in summary.parts[:-1])
    assert whole.macs == sum(part.macs for part in summary.parts[:-1])
    assert all(part.macs > 0 and part.parameters > 0 for part in summary.parts)


def test_v2_keeps_its_budget():
    """Part 2's limits: 250,000 parameters, 100 M MACs at 320, 400 M at 640, shares of V1's."""
    v1, v2 = summarize("featherface_v1", 320, 320), summarize("featherface_v2", 320, 320)
    assert v1.part("all").parameters == 592_371
    assert v2.part("all").parameters <= 250_000
    assert v2.part("all").macs <= 100e6
    assert summarize("featherface_v2", 640, 640).part("all").macs <= 400e6
    assert v2.part("attention").parameters <= 0.25 * v1.part("attention").parameters
    assert v2.part("heads").parameters <= 0.5 * v1.part("heads").parameters
    assert v1.part("nothing of the kind") is None


def test_command_line(capsys, tmp_path):
    file = tmp_path / "parts.json"
    assert main(["summary", "--network", "featherface_v2", "--size", "64x96", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert (found["input_height"], found["input_width"]) == (64, 96)
    assert [part["name"] for part in found["parts"]] == [
        "backbone",
        "attention",
        "neck",
        "context",
        "heads",
        "all",
    ]
    assert main(["summary", "--size", "64"]) == 0
    table = capsys.readouterr().out
    assert "592,371" in table and f"{found['parts'][-1]['parameters']:,}" in table


@pytest.mark.parametrize("size", ["321", "0", "64x99999", "big"])
def test_impossible_sizes(size, capsys):
    assert main(["summary", "--size", size]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_unknown_network():
    with pytest.raises(InputError, match="unknown network"):
        summarize("yolo", 320, 320)
