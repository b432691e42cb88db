"""Checkpoint -> float TFLite. The only module that touches the TFLite converter."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from convert.deployed import Deployed
from convert.difference import measure_difference, require_close
from convert.tflite.graph import Graph
from convert.tflite.naming import name_layers, number_names
from convert.tflite.passes import PASSES
from convert.verdict import parity_facts
from model.foundation.artifact import Artifact, replacing, tool_versions
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import SIGNATURE, name_interface, read_model, write_model
from model.runtime.running import TorchModel, open_model

SCORE_LIMIT = {"scores": 1e-3}
TOOLS = ("torch", "litert-torch", "litert-converter", "ai-edge-litert")


def export_tflite(
    network: nn.Module,
    spec: DetectorSpec,
    made_from: dict[str, Path],
    output: Path,
    photographs: Sequence[Pixels],
) -> Artifact:
    """Convert a network to a float32 TFLite file of builtin operators only.

    The file takes `image`, float32 RGB in 0..255 [1, H, W, 3], returns the spec's outputs, and carries
    the spec as metadata. Its outputs are held against PyTorch's and against the simplified ONNX file's.

    Args:
        network: In evaluation mode.
        spec: Input size and conventions.
        made_from: "checkpoint" and "onnx", the files it is made from and held against.
        output: The .tflite file to write.
        photographs: uint8 RGB [H, W, 3] of the spec's size, for the parity.

    Raises:
        GateError: scores differ by more than 1e-3 from either reference, or an operator is not builtin.
    """
    with replacing(output) as temporary:
        deployed = Deployed(network, spec, "NHWC")
        example = torch.zeros(1, spec.input_height, spec.input_width, 3)
        write_tflite(deployed, example, temporary, SIGNATURE)
        model = read_model(temporary)
        name_interface(model, spec)
        name_layers(model, deployed)
        for each in PASSES:
            each(model)
        number_names(model)
        operators = Graph.of(model).require_builtin()
        write_model(model, temporary)
        file, onnx = (open_model(path) for path in (temporary, made_from["onnx"]))
        parity = {
            "torch": measure_difference(TorchModel(network, spec), file, photographs, spec),
            "onnx": measure_difference(onnx, file, photographs, spec),
        }
        for reference, measured in parity.items():
            require_close(measured.outputs, SCORE_LIMIT, f"{output.name} against {reference}")
        return Artifact.save(
            output,
            content=temporary,
            sources=made_from,
            spec=spec.to_json(),
            precision="float32",
            tools=tool_versions(*TOOLS),
            operators=operators,
            **parity_facts(parity),
        )


def write_tflite(
    module: nn.Module, example: Tensor, output: Path, signature: str = "serving_default"
) -> None:
    """Convert any module of one input to a float32 TFLite file, with the names that the converter gives.

    Args:
        module: In evaluation mode; it stays as it is.
        example: An input: its shape becomes the file's.
        output: File to write.
        signature: Name of the file's only signature.
    """
    # The converter's XLA back end asks for a GPU and warns at length when there is none.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import litert_torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        converted = litert_torch.signature(signature, copy.deepcopy(module), (example,)).convert()
    converted.export(str(output))
