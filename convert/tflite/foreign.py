"""Anybody's float TFLite file -> the project's float32 file: the same graph, edited, not converted again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convert.difference import TensorDifference, measure_difference, require_close
from convert.tflite.edit import sign
from convert.tflite.graph import Graph
from convert.tflite.naming import number_names
from convert.tflite.passes import FOREIGN_PASSES, PASSES
from convert.tflite.pixel_input import take_pixels
from convert.verdict import parity_facts
from model.foundation.artifact import Artifact, replacing, tool_versions
from model.geometry.letterbox import Pixels
from model.geometry.outputs import physical_names
from model.geometry.spec import SPEC_METADATA, DetectorSpec
from model.runtime.flatbuffer import (
    metadata_inside,
    name_interface,
    parse_model,
    text,
    write_model,
)
from model.runtime.running import is_bare, open_model

SHARE_LIMIT = 1e-4
"""Of the largest value of an output, or of 1 where all are smaller: rounding of single precision."""
TOOLS = ("ai-edge-litert",)


def adopt_tflite(file: Path, spec: DetectorSpec, output: Path, photographs: Sequence[Pixels]) -> Artifact:
    """Make the project's float32 file of a foreign one.

    The file takes `image`, float32 RGB in 0..255 [1, H, W, 3], returns the outputs that the spec names,
    and carries the spec. Weights stored as float16 are float32 in it, activations are fused.

    Args:
        file: As its authors published it, checked by `convert.doors.tflite`.
        spec: Says how to feed and read it.
        output: The .tflite file to write.
        photographs: uint8 RGB [H, W, 3] of the spec's size, for the parity.

    Raises:
        GateError: an output differs from the foreign file's by more than SHARE_LIMIT.
    """
    content = file.read_bytes()
    model = parse_model(content)
    adopt(model, spec, scale=is_bare(file, metadata_inside(content, SPEC_METADATA)))
    reference = open_model(file, spec)
    with replacing(output) as temporary:
        write_model(model, temporary)
        parity = measure_difference(reference, open_model(temporary), photographs, spec)
        require_close(parity.outputs, _limits(parity.outputs), f"{output.name} against {file.name}")
        return Artifact.save(
            output,
            content=temporary,
            sources={"checkpoint": file},
            spec=spec.to_json(),
            precision="float32",
            tools=tool_versions(*TOOLS),
            operators=Graph.of(model).require_builtin(),
            **parity_facts({"foreign": parity}),
        )


def adopt(model: Any, spec: DetectorSpec, *, scale: bool) -> None:
    """Edit a parsed float file in place; `scale` says that its input wants the spec's mean and std."""
    # What its makers noted (buffers of a size, ranges of floats, free batch sizes) holds no longer.
    model.metadata = []
    for code in model.operatorCodes:
        # Files from before 2020 write the older field only; the quantizer reads the newer one only.
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    for tensor in model.subgraphs[0].tensors:
        tensor.quantization = tensor.shapeSignature = None
    _choose_outputs(model, physical_names(spec))
    for each in FOREIGN_PASSES:
        each(model)
    if scale:
        take_pixels(model, spec)
    for each in PASSES:
        each(model)
    name_interface(model, spec)
    number_names(model)


def _choose_outputs(model: Any, names: Sequence[str]) -> None:
    """Return these outputs only, in this order, through the only signature."""
    graph = model.subgraphs[0]
    found = {text(graph.tensors[index].name): int(index) for index in graph.outputs}
    graph.outputs = [found[name] for name in names]
    sign(model)


def _limits(outputs: dict[str, TensorDifference]) -> dict[str, float]:
    return {name: SHARE_LIMIT * max(1.0, one.largest) for name, one in outputs.items()}
