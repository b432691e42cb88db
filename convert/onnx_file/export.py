"""Checkpoint -> ONNX -> simplified ONNX. The only module that touches the ONNX exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxsim
import torch
from torch import nn

from convert.deployed import Deployed
from convert.difference import Difference, measure_difference, require_close
from convert.onnx_file.naming import name_nodes
from convert.verdict import parity_facts
from model.foundation.artifact import Artifact, replacing, tool_versions
from model.foundation.errors import GateError
from model.geometry.letterbox import Pixels
from model.geometry.outputs import physical_names
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import INPUT_NAME
from model.runtime.onnx_file import embed_spec
from model.runtime.running import TorchModel, open_model

OPSET = 18
ONNX_LIMIT = {"boxes": 1e-3, "scores": 1e-4, "landmarks": 1e-3}
"""1e-4 for probabilities, and 1e-4 of an anchor's side for offsets, whose unit is a tenth of it.

Tighter would gate rounding: on photographs V1's float32 landmark offsets are up to 1.3e-4 from its
float64 ones, in PyTorch (batch norms folded) and in ONNX Runtime alike.
"""
TOOLS = ("torch", "onnx", "onnxscript", "onnxsim", "onnxruntime")


def export_onnx(
    network: nn.Module, spec: DetectorSpec, source: Path, output: Path, photographs: Sequence[Pixels]
) -> Artifact:
    """Export a network as a simplified ONNX file of static shape.

    The file takes `image`, float32 RGB in 0..255 [1, 3, H, W], and returns the spec's outputs. ONNX
    Runtime's outputs are held against PyTorch's before the file gets its name.

    Args:
        network: In evaluation mode.
        spec: Input size and conventions.
        source: The checkpoint that the network came from, for the record.
        output: The .onnx file to write.
        photographs: uint8 RGB [H, W, 3] of the spec's size, for the parity.

    Raises:
        GateError: an output of the file differs from PyTorch's by more than ONNX_LIMIT.
    """
    raw, simplified = simplified_onnx(network, spec)
    for model in (raw, simplified):
        embed_spec(model, spec)
    reference = TorchModel(network, spec)
    parity: dict[str, Difference] = {}
    with replacing(output) as temporary:
        for stage, model in (("exported_to_torch", raw), ("simplified_to_torch", simplified)):
            onnx.save(model, temporary)
            file = open_model(temporary)
            parity[stage] = measure_difference(reference, file, photographs, spec)
            require_close(parity[stage].outputs, ONNX_LIMIT, f"{output.name}, {stage.replace('_', ' ')}")
        return Artifact.save(
            output,
            content=temporary,
            sources={"checkpoint": source},
            spec=spec.to_json(),
            precision="float32",
            opset=OPSET,
            tools=tool_versions(*TOOLS),
            operators={"exported": len(raw.graph.node), "simplified": len(simplified.graph.node)},
            **parity_facts(parity),
        )


def simplified_onnx(network: nn.Module, spec: DetectorSpec) -> tuple[Any, Any]:
    """Export a network in memory: as the exporter made it, and simplified with its nodes named by layer.

    Raises:
        GateError: the simplifier finds that the two compute different outputs.
    """
    deployed = Deployed(network, spec, "NCHW")
    raw = _exported(deployed, spec)
    simplified, agrees = onnxsim.simplify(raw)
    if not agrees:
        raise GateError("onnxsim: the simplified network's outputs differ from the exported one's")
    name_nodes(simplified, raw, deployed)
    return raw, simplified


def _exported(module: Deployed, spec: DetectorSpec) -> Any:
    example = torch.zeros(1, 3, spec.input_height, spec.input_width)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[INPUT_NAME],
            output_names=list(physical_names(spec)),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the exporter returned no program")
    return program.model_proto
