"""ONNX files are read in one place, so that what is wrong with one is said in one way; and carry a spec."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import helper, numpy_helper

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
    versions = {one.domain: one.version for one in model.opset_import}
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
        version = versions.get(node.domain, 1)  # before 13, Unsqueeze had its axes elsewhere
        if onnx.defs.has(node.op_type, version, node.domain):
            least = onnx.defs.get_schema(node.op_type, version, node.domain).min_input
            if len(node.input) < least or not node.output:
                raise ValueError(f"{node.op_type} {node.name} has {len(node.input)} of {least} inputs")
        known.update(node.output)


@dataclass(frozen=True)
class ImageInput:
    """The input of a foreign file.

    Attributes:
        name: Of the tensor.
        height, width: In pixels; None where the file takes any.
        channels_last: Whether it is [N, H, W, 3] and not [N, 3, H, W].
    """

    name: str
    height: int | None
    width: int | None
    channels_last: bool

    def shape(self, height: int, width: int) -> list[int]:
        """For one image of this size."""
        return [1, height, width, 3] if self.channels_last else [1, 3, height, width]


def image_input(model: onnx.ModelProto, where: Path) -> ImageInput:
    """The one input of a file that is no weight.

    Raises:
        InputError: it has several, or one that is no colour image.
    """
    stored = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(item.name for item in inputs)
        raise InputError(f"{where}: expected one input, an image, found {len(inputs)}: {names}")
    sides = [side.dim_value or None for side in inputs[0].type.tensor_type.shape.dim]
    if len(sides) != 4 or not {sides[1], sides[3]} & {3, None}:
        shown = [side or "?" for side in sides]
        raise InputError(f"{where}: expected an image [1, 3, H, W] or [1, H, W, 3], found {shown}")
    last = sides[3] == 3 and sides[1] != 3
    height, width = sides[1:3] if last else sides[2:4]
    return ImageInput(inputs[0].name, height, width, last)


def adapted(
    model: onnx.ModelProto, image: ImageInput, height: int, width: int, outputs: Sequence[str]
) -> onnx.ModelProto:
    """A foreign file with one input size and these outputs, which may be any tensors inside it.

    What is computed for no output, such as a suppression behind the boxes, is then never run.

    Raises:
        InputError: it has no such tensor.
    """
    made = {name for node in model.graph.node for name in node.output}
    if absent := [name for name in outputs if name not in made]:
        there = ", ".join(item.name for item in model.graph.output)
        raise InputError(f"the spec names {', '.join(absent)}; the file has the outputs {there}")
    (declared,) = (item for item in model.graph.input if item.name == image.name)
    for side, value in zip(declared.type.tensor_type.shape.dim, image.shape(height, width), strict=True):
        side.dim_value = value
    declared_outputs = {item.name: item for item in model.graph.output}
    chosen = [
        _any_size(declared_outputs[name]) if name in declared_outputs else _unknown(name)
        for name in outputs or declared_outputs
    ]
    for shapes in (model.graph.output, model.graph.value_info):
        del shapes[:]
    model.graph.output.extend(chosen)
    return onnx.shape_inference.infer_shapes(model)


def _unknown(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)


def _any_size(output: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """The same output, of as many sides of any size."""
    kind = output.type.tensor_type
    sides = [None] * len(kind.shape.dim) if kind.HasField("shape") else None
    return helper.make_tensor_value_info(output.name, kind.elem_type, sides)


def embed_spec(model: onnx.ModelProto, spec: DetectorSpec) -> None:
    """Put a spec into a model's metadata."""
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_METADATA, json.dumps(spec.to_json(), sort_keys=True)
