"""TFLite files that grow by a layer at a time, with random weights: what single layers are counted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.tflite.edit import add_constant, add_tensor, new_operator, sign
from model.runtime.flatbuffer import write_model

SCALE = 0.05
WEIGHT_SCALE = 0.01
_VERSIONS = {"RESHAPE": 1, "HARD_SWISH": 1, "FLOOR": 1, "EMBEDDING_LOOKUP": 1, "REDUCE_MAX": 1, "SUM": 1}
_ALIKE = (
    "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "CONCATENATION", "PAD",
    "SLICE", "RESHAPE",
)  # fmt: skip
"""Kinds whose output has the scale of what they read."""
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """A layer of a chain.

    Attributes:
        kind: Builtin name of its operator.
        size: Output channels of a convolution, rows of a resized picture ... whatever the kind varies in.
        kernel, stride: Of a convolution or a pooling.
        aside: Its output is returned, and the next layer reads what this one read.
    """

    kind: str
    size: int = 0
    kernel: int = 1
    stride: int = 1
    aside: bool = False


class LayerFile:
    """A TFLite file that grows by a layer at a time; `made` is the tensor that the next layer reads.

    Args:
        shape: Of the input, NHWC.
        kind: Type of the input and of the layers up to a conversion: "float32", "int8" or "uint8".
    """

    def __init__(self, shape: Shape, kind: str) -> None:
        self._random = np.random.default_rng(0)
        self._type = kind
        self.model = schema.ModelT()
        self.model.version, self.model.operatorCodes = 3, []
        self.model.buffers = [schema.BufferT()]
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.outputs = [], [], []
        self.model.subgraphs = [graph]
        self._graph = graph
        self.made = self._tensor(shape, kind)
        graph.inputs = [self.made]

    def write(self, path: Path) -> None:
        """Write what there is, with one signature."""
        self._graph.outputs.append(self.made)
        sign(self.model)
        write_model(self.model, path)

    def add(self, step: Step) -> None:
        """Put a layer behind the last one."""
        before = self.made
        _KINDS[step.kind][0](self, step)
        if step.aside:
            self._graph.outputs.append(self.made)
            self.made = before

    @property
    def shape(self) -> Shape:
        """Of what was made last."""
        return tuple(int(side) for side in self._graph.tensors[self.made].shape)

    def convolution(self, step: Step) -> None:
        channels, kernel = self.shape[-1], (step.kernel, step.kernel)
        if step.kind == "CONV_2D":
            filters, weights = step.size, self._weights((step.size, *kernel, channels), step.size, 0)
        else:
            filters, weights = channels, self._weights((1, *kernel, channels), channels, 3)
        self._append(step, weights, self._strided(step, filters), strideW=step.stride, strideH=step.stride)

    def binary(self, step: Step) -> None:
        """With itself; where `size` is 1 to 4 with a constant: by channel, by pixel, a number, a whole."""
        other = self.made
        if step.size:
            whole = self.shape
            shape = ((1, 1, 1, whole[-1]), (*whole[:3], 1), (1,), whole)[step.size - 1]
            other = self._constant(self._activations(shape), SCALE)
        self._append(step, [other], self.shape)

    def pooling(self, step: Step) -> None:
        window = {"filterHeight": step.kernel, "filterWidth": step.kernel}
        shape = self._strided(step, self.shape[-1])
        self._append(step, [], shape, strideH=step.stride, strideW=step.stride, **window)

    def resizing(self, step: Step) -> None:
        _, rows, columns, channels = self.shape
        size = self._constant(np.array([2 * rows, 2 * columns], np.int32))
        self._append(step, [size], (1, 2 * rows, 2 * columns, channels))

    def joining(self, step: Step) -> None:
        axis, shape = 1 if step.size else 3, list(self.shape)
        shape[axis] *= 2
        self._append(step, [self.made], tuple(shape), axis=axis)

    def padding(self, step: Step) -> None:
        """By a pixel on the right and below; rows as [H, W * C] where `size` says so."""
        shape = self.shape
        pads = np.zeros((len(shape), 2), np.int32)
        pads[1, 1] = 1
        if len(shape) == 4:
            pads[2, 1] = 1
        if step.size:
            pads[-1] = 0, step.size
        made = tuple(int(side + pad) for side, pad in zip(shape, pads.sum(1), strict=True))
        self._append(step, [self._constant(pads)], made)

    def reducing(self, step: Step) -> None:
        """Over rows and columns, or over the axis `size`."""
        axes = (step.size,) if step.size else (1, 2)
        shape = tuple(1 if axis in axes else side for axis, side in enumerate(self.shape))
        self._append(step, [self._constant(np.array(axes, np.int32))], shape)

    def cutting(self, step: Step) -> None:
        """The first `size` channels."""
        shape = (*self.shape[:-1], step.size)
        limits = np.zeros(len(shape), np.int32), np.array(shape, np.int32)
        self._append(step, [self._constant(one) for one in limits], shape)

    def looking_up(self, step: Step) -> None:
        """Four times as many rows as there are, in random order."""
        rows, channels = self.shape
        numbers = self._random.integers(0, rows, 4 * rows).astype(np.int32)
        table, self.made = self.made, self._constant(numbers)
        self._append(step, [table], (4 * rows, channels))

    def reshaping(self, step: Step) -> None:
        """To [1, H, W * C] and back to columns of `size` channels."""
        _, rows, *rest = self.shape
        width = int(np.prod(rest))
        shape = (1, rows, width) if not step.size else (1, rows, width // step.size, step.size)
        values = np.array(shape, np.int32)
        self._append(step, [self._constant(values)], shape, newShape=values)

    def mapping(self, step: Step) -> None:
        self._append(step, [], self.shape)

    def conversion(self, step: Step) -> None:
        """To int8 (QUANTIZE) or float32 (DEQUANTIZE)."""
        self._type = "int8" if step.kind == "QUANTIZE" else "float32"
        self._append(step, [], self.shape)

    def _strided(self, step: Step, channels: int) -> Shape:
        _, rows, columns, _ = self.shape
        return (1, -(-rows // step.stride), -(-columns // step.stride), channels)

    def _weights(self, shape: Shape, filters: int, axis: int) -> list[int]:
        if self._type == "float32":
            values = self._random.normal(0, 0.1, shape).astype(np.float32)
            return [
                self._constant(values),
                self._constant(np.zeros(filters, np.float32)),
            ]
        whole = self._random.integers(-127, 128, shape).astype(np.int8)
        scales = np.full(filters, WEIGHT_SCALE, np.float32)
        bias = np.zeros(filters, np.int32)
        return [
            self._constant(whole, scales, axis),
            self._constant(bias, scales * np.float32(SCALE), 0),
        ]

    def _activations(self, shape: Shape) -> NDArray[Any]:
        values = self._random.integers(1, 100, shape)
        return values.astype(np.int8 if self._type == "int8" else np.float32)

    def _append(self, step: Step, others: Sequence[int], shape: Shape, **fields: Any) -> None:
        """An operator that reads what was made last, and these."""
        _, name, fixed = _KINDS[step.kind]
        options = getattr(schema, f"{name}OptionsT")() if name else None
        if options is not None:
            vars(options).update(fixed | fields)
        unit = (1 / 256, -128) if step.kind in ("LOGISTIC", "SOFTMAX") else None
        made, inputs = self._tensor(shape, self._type, unit), [self.made, *others]
        if step.kind in _ALIKE:
            self._graph.tensors[made].quantization = self._graph.tensors[self.made].quantization
        version = _VERSIONS.get(step.kind, 2)
        self._graph.operators.append(new_operator(self.model, step.kind, inputs, [made], options, version))
        self.made = made

    def _tensor(self, shape: Shape, kind: str, quantization: tuple[float, int] | None = None) -> int:
        index = add_tensor(self.model, f"t{len(self._graph.tensors)}", shape, kind)
        if kind in ("int8", "uint8"):
            scale, zero = quantization or (SCALE, 0 if kind == "int8" else 128)
            self._graph.tensors[index].quantization = _quantization([scale], [zero], 0)
        return index

    def _constant(self, values: NDArray[Any], scales: Any = None, axis: int = 0) -> int:
        index = add_constant(self.model, f"t{len(self._graph.tensors)}", values)
        if scales is not None:
            several = np.atleast_1d(np.asarray(scales, np.float32))
            made = _quantization(several.tolist(), [0] * len(several), axis)
            self._graph.tensors[index].quantization = made
        return index


def _quantization(scales: Sequence[float], zeros: Sequence[int], axis: int) -> Any:
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint, made.quantizedDimension = list(scales), list(zeros), axis
    return made


_CONV = {"padding": schema.Padding.SAME, "dilationWFactor": 1, "dilationHFactor": 1}
_POOL, _KEEP = {"padding": schema.Padding.SAME}, {"keepDims": True}
_KINDS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "CONV_2D": (LayerFile.convolution, "Conv2D", _CONV),
    "DEPTHWISE_CONV_2D": (LayerFile.convolution, "DepthwiseConv2D", _CONV | {"depthMultiplier": 1}),
    "ADD": (LayerFile.binary, "Add", {}),
    "SUB": (LayerFile.binary, "Sub", {"potScaleInt16": False}),
    "MUL": (LayerFile.binary, "Mul", {}),
    "MAXIMUM": (LayerFile.binary, "MaximumMinimum", {}),
    "MAX_POOL_2D": (LayerFile.pooling, "Pool2D", _POOL),
    "AVERAGE_POOL_2D": (LayerFile.pooling, "Pool2D", _POOL),
    "RESIZE_BILINEAR": (LayerFile.resizing, "ResizeBilinear", {"halfPixelCenters": True}),
    "RESIZE_NEAREST_NEIGHBOR": (LayerFile.resizing, "ResizeNearestNeighbor", {}),
    "CONCATENATION": (LayerFile.joining, "Concatenation", {}),
    "PAD": (LayerFile.padding, "Pad", {}),
    "MEAN": (LayerFile.reducing, "Reducer", _KEEP),
    "SUM": (LayerFile.reducing, "Reducer", _KEEP),
    "REDUCE_MAX": (LayerFile.reducing, "Reducer", _KEEP),
    "SLICE": (LayerFile.cutting, "Slice", {}),
    "EMBEDDING_LOOKUP": (LayerFile.looking_up, "", {}),
    "RESHAPE": (LayerFile.reshaping, "Reshape", {}),
    "FLOOR": (LayerFile.mapping, "", {}),
    "LOGISTIC": (LayerFile.mapping, "", {}),
    "SOFTMAX": (LayerFile.mapping, "Softmax", {"beta": 1.0}),
    "LEAKY_RELU": (LayerFile.mapping, "LeakyRelu", {"alpha": 0.1}),
    "HARD_SWISH": (LayerFile.mapping, "HardSwish", {}),
    "QUANTIZE": (LayerFile.conversion, "Quantize", {}),
    "DEQUANTIZE": (LayerFile.conversion, "Dequantize", {}),
}
"""Kind -> how such a layer is added, its options in the schema, and those that are always the same."""


def write_layer_file(path: Path, shape: Shape, steps: Sequence[Step], kind: str) -> None:
    """A chain of layers as a file whose input is "float32", "int8" or "uint8"."""
    file = LayerFile(shape, kind)
    for step in steps:
        file.add(step)
    file.write(path)
