"""TFLite files that grow by a layer at a time, with random weights: what single layers are counted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.tflite.edit import new_operator
from model.runtime.flatbuffer import write_model

SCALE = 0.05
WEIGHT_SCALE = 0.01
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
}
_VERSIONS = {"RESHAPE": 1, "HARD_SWISH": 1, "FLOOR": 1, "EMBEDDING_LOOKUP": 1, "REDUCE_MAX": 1, "SUM": 1}
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
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        signature.inputs = [_named("args_0", self._graph.inputs[0])]
        signature.outputs = [_named(f"output_{i}", one) for i, one in enumerate(self._graph.outputs)]
        self.model.signatureDefs = [signature]
        write_model(self.model, path)

    def add(self, step: Step) -> None:
        """Put a layer behind the last one."""
        before = self.made
        _BUILD[step.kind](self, step)
        if step.aside:
            self._graph.outputs.append(self.made)
            self.made = before

    @property
    def shape(self) -> Shape:
        """Of what was made last."""
        return tuple(int(side) for side in self._graph.tensors[self.made].shape)

    def convolution(self, step: Step) -> None:
        _, rows, columns, channels = self.shape
        by_channel = step.kind == "DEPTHWISE_CONV_2D"
        options: Any = schema.DepthwiseConv2DOptionsT() if by_channel else schema.Conv2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideW = options.strideH = step.stride
        options.dilationWFactor = options.dilationHFactor = 1
        if by_channel:
            options.depthMultiplier = 1
        filters = channels if by_channel else step.size
        kernel = (step.kernel, step.kernel)
        weights = self._weights(
            (1, *kernel, channels) if by_channel else (filters, *kernel, channels),
            filters,
            3 if by_channel else 0,
        )
        shape = (1, -(-rows // step.stride), -(-columns // step.stride), filters)
        self._append(step.kind, [self.made, *weights], shape, options)

    def linear(self, step: Step) -> None:
        options = schema.FullyConnectedOptionsT()
        weights = self._weights((step.size, self.shape[-1]), step.size, 0)
        self._append(step.kind, [self.made, *weights], (1, step.size), options)

    def binary(self, step: Step) -> None:
        """With itself; where `size` is 1 to 4 with a constant: by channel, by pixel, a number, a whole."""
        name = {"MAXIMUM": "MaximumMinimum"}.get(step.kind, step.kind.title())
        options: Any = getattr(schema, f"{name}OptionsT")()
        if step.kind == "SUB":
            options.potScaleInt16 = False
        other = self.made
        if step.size:
            whole = self.shape
            shape = ((1, 1, 1, whole[-1]), (*whole[:3], 1), (1,), whole)[step.size - 1]
            other = self._constant(self._activations(shape), self._type, SCALE)
        self._append(step.kind, [self.made, other], self.shape, options)

    def pooling(self, step: Step) -> None:
        _, rows, columns, channels = self.shape
        options = schema.Pool2DOptionsT()
        options.filterHeight = options.filterWidth = step.kernel
        options.strideH = options.strideW = step.stride
        options.padding = schema.Padding.SAME
        self._append(
            step.kind,
            [self.made],
            (1, -(-rows // step.stride), -(-columns // step.stride), channels),
            options,
            alike=True,
        )

    def resizing(self, step: Step) -> None:
        _, rows, columns, channels = self.shape
        bilinear = step.kind == "RESIZE_BILINEAR"
        options: Any = schema.ResizeBilinearOptionsT() if bilinear else schema.ResizeNearestNeighborOptionsT()
        options.halfPixelCenters, options.alignCorners = bilinear, False
        size = self._constant(np.array([2 * rows, 2 * columns], np.int32), "int32")
        self._append(step.kind, [self.made, size], (1, 2 * rows, 2 * columns, channels), options, alike=True)

    def joining(self, step: Step) -> None:
        options = schema.ConcatenationOptionsT()
        options.axis = 3 if step.size == 0 else 1
        shape = list(self.shape)
        shape[options.axis] *= 2
        self._append(step.kind, [self.made, self.made], tuple(shape), options, alike=True)

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
        self._append(
            step.kind, [self.made, self._constant(pads, "int32")], made, schema.PadOptionsT(), alike=True
        )

    def reducing(self, step: Step) -> None:
        """Over rows and columns, or over the axis `size`."""
        options = schema.ReducerOptionsT()
        options.keepDims = True
        axes = (step.size,) if step.size else (1, 2)
        shape = tuple(1 if axis in axes else side for axis, side in enumerate(self.shape))
        self._append(
            step.kind, [self.made, self._constant(np.array(axes, np.int32), "int32")], shape, options
        )

    def cutting(self, step: Step) -> None:
        """The first `size` channels."""
        shape = (*self.shape[:-1], step.size)
        begin, size = np.zeros(len(shape), np.int32), np.array(shape, np.int32)
        limits = [self._constant(one, "int32") for one in (begin, size)]
        self._append(step.kind, [self.made, *limits], shape, schema.SliceOptionsT(), alike=True)

    def looking_up(self, step: Step) -> None:
        """Four times as many rows as there are, in random order."""
        rows, channels = self.shape
        numbers = self._constant(self._random.integers(0, rows, 4 * rows).astype(np.int32), "int32")
        self._append(step.kind, [numbers, self.made], (4 * rows, channels), None)

    def reshaping(self, step: Step) -> None:
        """To [1, H, W * C] and back to columns of `size` channels."""
        options = schema.ReshapeOptionsT()
        _, rows, *rest = self.shape
        width = int(np.prod(rest))
        shape = (1, rows, width) if not step.size else (1, rows, width // step.size, step.size)
        options.newShape = np.array(shape, np.int32)
        values = self._constant(np.array(shape, np.int32), "int32")
        self._append(step.kind, [self.made, values], shape, options, alike=True)

    def mapping(self, step: Step) -> None:
        options: Any = {
            "SOFTMAX": schema.SoftmaxOptionsT, "LEAKY_RELU": schema.LeakyReluOptionsT,
            "HARD_SWISH": schema.HardSwishOptionsT,
        }.get(step.kind, lambda: None)()  # fmt: skip
        if step.kind == "SOFTMAX":
            options.beta = 1.0
        if step.kind == "LEAKY_RELU":
            options.alpha = 0.1
        unit = step.kind in ("LOGISTIC", "SOFTMAX")
        self._append(
            step.kind, [self.made], self.shape, options, quantization=(1 / 256, -128) if unit else None
        )

    def conversion(self, step: Step) -> None:
        """To int8 (QUANTIZE) or float32 (DEQUANTIZE)."""
        self._type = "int8" if step.kind == "QUANTIZE" else "float32"
        options: Any = schema.QuantizeOptionsT() if step.kind == "QUANTIZE" else schema.DequantizeOptionsT()
        self._append(step.kind, [self.made], self.shape, options)

    def _weights(self, shape: Shape, filters: int, axis: int) -> list[int]:
        if self._type == "float32":
            values = self._random.normal(0, 0.1, shape).astype(np.float32)
            return [
                self._constant(values, "float32"),
                self._constant(np.zeros(filters, np.float32), "float32"),
            ]
        whole = self._random.integers(-127, 128, shape).astype(np.int8)
        scales = np.full(filters, WEIGHT_SCALE, np.float32)
        bias = np.zeros(filters, np.int32)
        return [
            self._constant(whole, "int8", scales, axis),
            self._constant(bias, "int32", scales * np.float32(SCALE), 0),
        ]

    def _activations(self, shape: Shape) -> NDArray[Any]:
        values = self._random.integers(1, 100, shape)
        return values.astype(np.int8 if self._type == "int8" else np.float32)

    def _append(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Shape,
        options: Any,
        *,
        alike: bool = False,
        quantization: tuple[float, int] | None = None,
    ) -> None:
        made = self._tensor(shape, self._type, quantization)
        if alike:
            self._graph.tensors[made].quantization = self._graph.tensors[inputs[0]].quantization
        self._graph.operators.append(
            new_operator(self.model, kind, inputs, [made], options, version=_VERSIONS.get(kind, 2))
        )
        self.made = made

    def _tensor(self, shape: Shape, kind: str, quantization: tuple[float, int] | None = None) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = f"t{len(self._graph.tensors)}", list(shape), _TYPES[kind]
        tensor.buffer, tensor.hasRank = 0, True
        if kind in ("int8", "uint8"):
            scale, zero = quantization or (SCALE, 0 if kind == "int8" else 128)
            tensor.quantization = _quantization([scale], [zero], 0)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _constant(self, values: NDArray[Any], kind: str, scales: Any = None, axis: int = 0) -> int:
        index = self._tensor(values.shape, kind)
        tensor = self._graph.tensors[index]
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        tensor.buffer = len(self.model.buffers) - 1
        if scales is not None:
            several = np.atleast_1d(np.asarray(scales, np.float32))
            tensor.quantization = _quantization(several.tolist(), [0] * len(several), axis)
        return index


def _quantization(scales: Sequence[float], zeros: Sequence[int], axis: int) -> Any:
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint, made.quantizedDimension = list(scales), list(zeros), axis
    return made


def _named(name: str, tensor: int) -> Any:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, tensor
    return made


_BUILD: dict[str, Any] = {
    "CONV_2D": LayerFile.convolution, "DEPTHWISE_CONV_2D": LayerFile.convolution,
    "FULLY_CONNECTED": LayerFile.linear, "ADD": LayerFile.binary, "MUL": LayerFile.binary,
    "SUB": LayerFile.binary, "MAX_POOL_2D": LayerFile.pooling, "AVERAGE_POOL_2D": LayerFile.pooling,
    "RESIZE_BILINEAR": LayerFile.resizing, "RESIZE_NEAREST_NEIGHBOR": LayerFile.resizing,
    "CONCATENATION": LayerFile.joining, "PAD": LayerFile.padding, "MEAN": LayerFile.reducing,
    "SUM": LayerFile.reducing, "REDUCE_MAX": LayerFile.reducing, "MAXIMUM": LayerFile.binary,
    "SLICE": LayerFile.cutting, "FLOOR": LayerFile.mapping,
    "EMBEDDING_LOOKUP": LayerFile.looking_up,
    "RESHAPE": LayerFile.reshaping, "LOGISTIC": LayerFile.mapping, "SOFTMAX": LayerFile.mapping,
    "LEAKY_RELU": LayerFile.mapping, "HARD_SWISH": LayerFile.mapping, "QUANTIZE": LayerFile.conversion,
    "DEQUANTIZE": LayerFile.conversion,
}  # fmt: skip


def write_layer_file(path: Path, shape: Shape, steps: Sequence[Step], kind: str) -> None:
    """A chain of layers as a file whose input is "float32", "int8" or "uint8"."""
    file = LayerFile(shape, kind)
    for step in steps:
        file.add(step)
    file.write(path)
