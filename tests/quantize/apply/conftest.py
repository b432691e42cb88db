"""Float files of networks that somebody else wrote, and photographs of nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from convert.deployed import Deployed
from convert.doors import Opened, open_network
from convert.tflite.export import write_tflite
from convert.tflite.naming import name_layers
from model.runtime.flatbuffer import SIGNATURE, name_interface, read_model, write_model


def float_file(folder: Path, module: nn.Module, spec: dict[str, Any]) -> tuple[Opened, Path]:
    """Write a network as `convert` does, without its ONNX file; six pictures stand in photographs/ beside it.

    Args:
        folder: An empty one.
        module: Its class is known by its name to the module that it comes from.
        spec: Of 64 x 96 pixels.
    """
    (folder / "spec.json").write_text(json.dumps(spec))
    torch.save(module.state_dict(), folder / "weights.pth")
    (folder / "photographs").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        small = Image.fromarray(rng.integers(0, 256, (8, 12, 3), np.uint8))
        small.resize((96, 64)).save(folder / "photographs" / f"{number}.png")
    kind = type(module)
    opened = open_network(folder / "weights.pth", f"{kind.__module__}:{kind.__name__}", folder / "spec.json")
    assert isinstance(opened, Opened)
    deployed = Deployed(opened.network, opened.spec, "NHWC")
    path = folder / f"{spec['network']}_float32.tflite"
    write_tflite(deployed, torch.zeros(1, 64, 96, 3), path, SIGNATURE)
    model = read_model(path)
    name_interface(model, opened.spec)
    name_layers(model, deployed)
    write_model(model, path)
    return opened, path
