"""Which output of another tool's file is which: tools rename, reorder and turn them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels
from model.geometry.outputs import Part
from model.geometry.spec import DetectorSpec

Outputs = Mapping[str, NDArray[np.float32]]
ROLES = ("boxes_from", "scores_from", "landmarks_from", "objectness_from")


def outputs_of(path: Path, pixels: Pixels) -> Outputs:
    """Name -> output for uint8 RGB [H, W, 3]; the file takes RGB in 0..255, however it stores it."""
    if path.suffix == ".tflite":
        from model.runtime.interpreter import TfliteInterpreter

        file = TfliteInterpreter(path)
        file.run_real(pixels[None].astype(np.float32))
        return {one.name: file.value(one) for one in file.outputs}
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None].astype(np.float32)}
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def spec_of_file(spec: DetectorSpec, network: Outputs, file: Outputs) -> DetectorSpec:
    """How to read a file that another tool made of a network.

    Args:
        spec: Of the network.
        network: Its outputs for a photograph.
        file: The file's for the same one. Each is taken for the output of its shape, turned or not, that it
            differs least from: quantized values are near the real ones, and no two outputs are alike.

    Raises:
        InputError: the file has no output of some shape.
    """
    found: dict[str, Any] = {}
    names = dict(zip(ROLES[:3], ((name,) for name in spec.output_names), strict=True))
    for role in ROLES:
        if role == "landmarks_from" and not spec.points:
            continue
        texts = getattr(spec, role) or names.get(role, ())
        found[role] = tuple(
            "|".join(_renamed(part, network, file) for part in Part.read_all(text)) for text in texts
        )
    # Pixels go in as they are: channel order and scaling are inside.
    return replace(spec, **found, channel_order="RGB", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def _renamed(part: Part, network: Outputs, file: Outputs) -> str:
    wanted = Part(part.name, part.turned, None).rows(network)
    best = None
    for name, values in file.items():
        for turned in (False, True):
            rows = Part(name, turned, None).rows({name: values})
            if rows.shape == wanted.shape:
                distance = float(np.mean((rows - wanted) ** 2))
                best = min(best or (distance, name, turned), (distance, name, turned))
    if best is None:
        shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in file.items())
        raise InputError(f"no output like {part.name} {list(wanted.shape)}: found {shapes}")
    _, name, turned = best
    return str(Part(name, turned, part.channels, part.function))
