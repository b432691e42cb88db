"""ONNX files are read in one place, so that what is wrong with one is said in one way; and carry a spec."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from onnx import numpy_helper

from model.foundation.damage import damage_is_said
from model.foundation.errors import InputError
from model.geometry.spec import SPEC_METADATA, DetectorSpec


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    It is not checked further: runtimes take files that ONNX's own checker refuses, such as outputs
    without a shape.

    Raises:
        InputError: no such file, no ONNX model, damaged, or its weights lie outside its folder.
    """
    if not path.is_file():
        raise InputError(f"no such ONNX file: {path}")
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's and onnx's errors share no base class but Exception
        line = str(error).strip().splitlines()
        raise InputError(
            f"{path} is no ONNX file, or it is damaged ({line[0] if line else error!r})"
        ) from None
    if not model.graph.node:  # so reads an empty file
        raise InputError(f"{path} is no ONNX file, or it is damaged (it has no operators)")
    with damage_is_said(f"{path} is damaged"):
        _check_promises(model)
    return model


def _check_promises(model: onnx.ModelProto) -> None:
    """Hold what a graph says of itself against itself, as far as readers rely on it.

    Raises:
        ValueError: a tensor of another size than it says, an operator that reads what nothing computes, or
            less than its kind needs.
    """
    graph = model.graph
    known = {"", *(one.name for one in graph.input)}
    for tensor in graph.initializer:
        numpy_helper.to_array(tensor)
        known.add(tensor.name)
    known |= {one.values.name for one in graph.sparse_initializer}
    for node in graph.node:
        if absent := set(node.input) - known:
            raise ValueError(
                f"{node.op_type} {node.name} reads {min(absent)}, which nothing before it computes"
            )
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                numpy_helper.to_array(attribute.t)
        if onnx.defs.has(node.op_type, node.domain):
            least = onnx.defs.get_schema(node.op_type, node.domain).min_input
            if len(node.input) < least or not node.output:
                raise ValueError(f"{node.op_type} {node.name} has {len(node.input)} of {least} inputs")
        known.update(node.output)


def embed_spec(model: onnx.ModelProto, spec: DetectorSpec) -> None:
    """Put a spec into a model's metadata."""
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_METADATA, json.dumps(spec.to_json(), sort_keys=True)
