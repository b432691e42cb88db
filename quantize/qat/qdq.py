"""A mirror as ONNX with QuantizeLinear and DequantizeLinear pairs, for ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from convert.difference import measure_difference, require_same_faces
from convert.tflite.graph import WEIGHTED, FileTensor, Operator
from model.foundation.artifact import Artifact, replacing, tool_versions
from model.foundation.records import to_json
from model.geometry.letterbox import Pixels
from model.geometry.outputs import output_names
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import INPUT_NAME
from model.runtime.onnx_file import embed_spec
from model.runtime.running import Answers, open_model
from quantize.precision import INT8
from quantize.qat.mirror.integers import integer_weight
from quantize.qat.mirror.kernels import SAME
from quantize.qat.mirror.mirror import Mirror
from quantize.qat.mirror.run import RELU, RELU6

OPSET = 18


def supports(mirror: Mirror) -> bool:
    """Whether every operator and output of a mirror has a counterpart here: those of this project's networks
    that are int8 throughout have."""
    graph, spec = mirror.graph, mirror.placement.spec
    own = output_names([graph.tensors[i].name for i in graph.outputs], spec) == spec.output_names
    return (
        own
        and all(operator.kind in _WRITERS for operator in graph.operators)
        and all(graph.tensors[index].is_integer for operator in graph.operators for index in operator.outputs)
    )


def export_qdq(
    mirror: Mirror, spec: DetectorSpec, output: Path, reference: Answers, inputs: Sequence[Pixels]
) -> dict[str, Any]:
    """Write a mirror as ONNX with the project's interface: float32 RGB [1, 3, H, W] in 0..255.

    Args:
        mirror: With all its tensors quantized; see `supports`.
        spec: Input size and conventions.
        output: The .onnx file to write.
        reference: The integer TFLite file, whose faces must be found.
        inputs: uint8 RGB [H, W, 3] to compare on.

    Returns:
        Name and parity of the file, for a record.

    Raises:
        GateError: ONNX Runtime finds other faces than the integer file.
    """
    model = _Writer(mirror, spec).model()
    onnx.checker.check_model(model)
    with replacing(output) as temporary:
        onnx.save(model, temporary)
        candidate = open_model(temporary)
        require_same_faces(reference, candidate, inputs, spec, f"{output.name} in ONNX Runtime")
        parity = measure_difference(reference, candidate, inputs, spec)
        Artifact.save(
            output,
            content=temporary,
            sources={},
            spec=spec.to_json(),
            precision=INT8.name,
            opset=OPSET,
            tools=tool_versions("onnx", "onnxruntime"),
            parity={INT8.name: to_json(parity)},
        )
    return {"file": output.name, "parity": to_json(parity)}


class _Writer:
    """Collects the nodes. Maps [1, H, W, C] of the file are [1, C, H, W] here; all else is as it was."""

    def __init__(self, mirror: Mirror, spec: DetectorSpec) -> None:
        self.mirror, self.graph, self.spec = mirror, mirror.graph, spec
        self.scales = mirror.scales.values()
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.names: dict[int, str] = {}

    def model(self) -> Any:
        """The whole model."""
        height, width = self.spec.input_height, self.spec.input_width
        self.names[self.graph.inputs[0]] = INPUT_NAME
        for operator in self.graph.operators:
            _WRITERS[operator.kind](self, operator)
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
            for name, shape in zip(self.spec.output_names, self.spec.output_shapes, strict=True)
        ]
        for index, name in zip(self.graph.outputs, self.spec.output_names, strict=True):
            self.nodes.append(helper.make_node("Identity", [self.names[index]], [name]))
        entry = helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [1, 3, height, width])
        body = helper.make_graph(
            self.nodes, self.spec.network, [entry], outputs, list(self.constants.values())
        )
        model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        embed_spec(model, self.spec)
        return model

    def tensor(self, index: int) -> FileTensor:
        """What the file says of a tensor."""
        return self.graph.tensors[index]

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Keep an array under a name."""
        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add a node with one output."""
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{kind}:{name}", **attributes))
        return name

    def entry(self, index: int) -> str:
        """The name of a computed tensor, or of a stored one's real numbers, in ONNX's order."""
        tensor = self.tensor(index)
        if tensor.constant is None:
            return self.names[index]
        scale, zero_point = self.scale(index)
        real = (tensor.constant.astype(np.float32) - zero_point) * scale
        ordered = real.transpose(0, 3, 1, 2) if real.ndim == 4 else real
        return self.constant(f"{tensor.name}#{index}", ordered)

    def scale(self, index: int) -> tuple[np.float32, int]:
        """Scale and zero point of an activation."""
        if index in self.scales:
            scale, zero_point = self.scales[index]
            return np.float32(scale.item()), zero_point
        tensor = self.tensor(index)
        assert tensor.scales is not None  # supports() holds
        return np.float32(tensor.scales[0]), tensor.zero_point

    def finish(self, index: int, name: str) -> None:
        """Quantize and dequantize what was computed for a tensor of the file."""
        scale, zero_point = self.scale(index)
        label = f"{self.tensor(index).name}#{index}"
        parameters = [
            self.constant(f"{label}/scale", np.asarray(scale)),
            self.constant(f"{label}/zero_point", np.asarray(zero_point, np.int8)),
        ]
        integer = self.node("QuantizeLinear", [name, *parameters], f"{label}/int8")
        self.names[index] = self.node("DequantizeLinear", [integer, *parameters], f"{label}/real")

    def weight(self, operator: Operator, axis: int, order: tuple[int, ...]) -> tuple[str, str]:
        """A layer's weight, permuted, and its bias, both dequantized from integers."""
        weights, names = self.mirror.weights, self.mirror.placement.weights
        depthwise = operator.kind == "DEPTHWISE_CONV_2D"
        label = f"{self.tensor(operator.outputs[0]).name}#{operator.outputs[0]}"
        with torch.no_grad():
            value = weights[names[operator.inputs[1]]].reshape(self.tensor(operator.inputs[1]).shape)
            integers, scales = integer_weight(value.permute(3, 0, 1, 2) if depthwise else value)
            if depthwise:
                integers = integers.permute(1, 2, 3, 0)
            bias_scales = torch.tensor(self.scale(operator.inputs[0])[0]) * scales
            bias = (weights[names[operator.inputs[2]]] / bias_scales).round()
        parts: list[tuple[str, NDArray[Any], torch.Tensor, int]] = [
            (f"{label}/weight", integers.permute(order).numpy().astype(np.int8), scales, axis),
            (f"{label}/bias", bias.numpy().astype(np.int32), bias_scales, 0),
        ]
        made = []
        for name, stored, scale, channels in parts:
            inputs = [
                self.constant(f"{name}/integer", stored),
                self.constant(f"{name}/scale", scale.numpy()),
                self.constant(f"{name}/zero_point", np.zeros(len(scale), stored.dtype)),
            ]
            made.append(self.node("DequantizeLinear", inputs, name, axis=channels))
        return made[0], made[1]

    def activated(self, operator: Operator, name: str) -> str:
        """What a fused activation makes of a value."""
        activation = operator.options.get("fusedActivationFunction", 0)
        if activation == RELU:
            return self.node("Relu", [name], f"{name}/relu")
        if activation == RELU6:
            limits = [
                self.constant("zero", np.asarray(0, np.float32)),
                self.constant("six", np.asarray(6, np.float32)),
            ]
            return self.node("Clip", [name, *limits], f"{name}/relu6")
        return name

    def label(self, operator: Operator) -> str:
        """A unique name for what an operator computes."""
        return f"{self.tensor(operator.outputs[0]).name}#{operator.outputs[0]}"


def _quantize(writer: _Writer, operator: Operator) -> None:
    writer.finish(operator.outputs[0], writer.names[operator.inputs[0]])


def _conv(writer: _Writer, operator: Operator) -> None:
    options, depthwise = operator.options, operator.kind == "DEPTHWISE_CONV_2D"
    weight, bias = writer.weight(operator, 0, (3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
    made = writer.node(
        "Conv",
        [writer.names[operator.inputs[0]], weight, bias],
        writer.label(operator),
        strides=[options["strideH"], options["strideW"]],
        dilations=[options["dilationHFactor"], options["dilationWFactor"]],
        group=writer.tensor(operator.inputs[0]).shape[3] if depthwise else 1,
        auto_pad="SAME_UPPER" if options["padding"] == SAME else "VALID",
    )
    writer.finish(operator.outputs[0], writer.activated(operator, made))


def _linear(writer: _Writer, operator: Operator) -> None:
    weight, bias = writer.weight(operator, 1, (1, 0))
    label, out = writer.label(operator), operator.outputs[0]
    made = writer.node("MatMul", [writer.names[operator.inputs[0]], weight], f"{label}/product")
    made = writer.node("Add", [made, bias], label)
    shape = writer.constant(f"{label}/shape", np.asarray(writer.tensor(out).shape, np.int64))
    made = writer.node("Reshape", [made, shape], f"{label}/shaped")
    writer.finish(out, writer.activated(operator, made))


def _binary(kind: str) -> Callable[[_Writer, Operator], None]:
    def write(writer: _Writer, operator: Operator) -> None:
        made = writer.node(kind, [writer.names[i] for i in operator.inputs], writer.label(operator))
        writer.finish(operator.outputs[0], writer.activated(operator, made))

    return write


def _mean(writer: _Writer, operator: Operator) -> None:
    axes = writer.constant("height_and_width", np.array([2, 3], np.int64))
    made = writer.node("ReduceMean", [writer.names[operator.inputs[0]], axes], writer.label(operator))
    writer.finish(operator.outputs[0], made)


def _max_pool(writer: _Writer, operator: Operator) -> None:
    options = operator.options
    made = writer.node(
        "MaxPool",
        [writer.names[operator.inputs[0]]],
        writer.label(operator),
        kernel_shape=[options["filterHeight"], options["filterWidth"]],
        strides=[options["strideH"], options["strideW"]],
    )
    writer.finish(operator.outputs[0], made)


def _resize(writer: _Writer, operator: Operator) -> None:
    batch, height, width, channels = writer.tensor(operator.outputs[0]).shape
    sizes = np.array([batch, channels, height, width], np.int64)
    made = writer.node(
        "Resize",
        [writer.names[operator.inputs[0]], "", "", writer.constant(f"{writer.label(operator)}/size", sizes)],
        writer.label(operator),
        mode="linear",
        coordinate_transformation_mode="align_corners" if operator.options["alignCorners"] else "half_pixel",
    )
    writer.finish(operator.outputs[0], made)


def _pad(writer: _Writer, operator: Operator) -> None:
    constant = writer.tensor(operator.inputs[1]).constant
    assert constant is not None  # the converter computes no padding
    pairs = constant[[0, 3, 1, 2]]  # rows of N, H, W, C as N, C, H, W
    sides = np.concatenate([pairs[:, 0], pairs[:, 1]]).astype(np.int64)
    pads = writer.constant(f"{writer.label(operator)}/pads", sides)
    made = writer.node("Pad", [writer.names[operator.inputs[0]], pads], writer.label(operator))
    writer.finish(operator.outputs[0], made)


def _reshape(writer: _Writer, operator: Operator) -> None:
    entry, label = writer.names[operator.inputs[0]], writer.label(operator)
    if len(writer.tensor(operator.inputs[0]).shape) == 4:
        entry = writer.node("Transpose", [entry], f"{label}/nhwc", perm=[0, 2, 3, 1])
    to = writer.tensor(operator.outputs[0]).shape
    shape = writer.constant(f"{label}/shape", np.asarray(to, np.int64))
    made = writer.node("Reshape", [entry, shape], f"{label}/flat" if len(to) == 4 else label)
    if len(to) == 4:
        made = writer.node("Transpose", [made], label, perm=[0, 3, 1, 2])
    writer.finish(operator.outputs[0], made)


def _concatenation(writer: _Writer, operator: Operator) -> None:
    axis = operator.options["axis"]
    if len(writer.tensor(operator.outputs[0]).shape) == 4:
        axis = (0, 2, 3, 1)[axis]
    names = [writer.entry(index) for index in operator.inputs]
    writer.finish(operator.outputs[0], writer.node("Concat", names, writer.label(operator), axis=axis))


def _logistic(writer: _Writer, operator: Operator) -> None:
    made = writer.node("Sigmoid", [writer.names[operator.inputs[0]]], writer.label(operator))
    writer.finish(operator.outputs[0], made)


_WRITERS: dict[str, Callable[[_Writer, Operator], None]] = {
    **dict.fromkeys(WEIGHTED[:2], _conv),
    WEIGHTED[2]: _linear,
    "QUANTIZE": _quantize,
    "ADD": _binary("Add"),
    "MUL": _binary("Mul"),
    "MEAN": _mean,
    "MAX_POOL_2D": _max_pool,
    "RESIZE_BILINEAR": _resize,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "CONCATENATION": _concatenation,
    "LOGISTIC": _logistic,
}
