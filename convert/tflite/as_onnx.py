"""A TFLite graph in ONNX's words, so that one set of rules looks at both.

It is for looking at, not for running: activations keep TFLite's order (NHWC), while weights stand as ONNX has
them, output channels first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from convert.onnx_file.graph import OnnxGraph
from convert.tflite.graph import Graph, Operator

RELU = 1
"""A value of the schema's ActivationFunctionType."""
BEFORE = "/before"
"""What a tensor is called before an activation that is fused into its operator."""
NAMES = {
    "CONV_2D": "Conv", "DEPTHWISE_CONV_2D": "Conv", "TRANSPOSE_CONV": "ConvTranspose",
    "FULLY_CONNECTED": "Gemm", "BATCH_MATMUL": "MatMul", "RELU": "Relu", "LEAKY_RELU": "LeakyRelu",
    "PRELU": "PRelu", "HARD_SWISH": "HardSwish", "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax",
    "TANH": "Tanh", "EXP": "Exp", "LOG": "Log", "POW": "Pow", "FLOOR": "Floor", "CEIL": "Ceil",
    "ROUND": "Round", "SIN": "Sin", "COS": "Cos", "FLOOR_MOD": "Mod", "ADD": "Add", "SUB": "Sub",
    "MUL": "Mul", "DIV": "Div", "MEAN": "ReduceMean", "SUM": "ReduceSum", "MAX_POOL_2D": "MaxPool",
    "AVERAGE_POOL_2D": "AveragePool", "RESHAPE": "Reshape", "TRANSPOSE": "Transpose", "SQUEEZE": "Squeeze",
    "EXPAND_DIMS": "Unsqueeze", "SLICE": "Slice", "STRIDED_SLICE": "Slice", "SPLIT": "Split",
    "CAST": "Cast", "PAD": "Pad", "PADV2": "Pad", "MIRROR_PAD": "Pad", "TILE": "Tile",
    "BROADCAST_TO": "Expand", "CONCATENATION": "Concat", "RESIZE_BILINEAR": "Resize",
    "RESIZE_NEAREST_NEIGHBOR": "Resize", "GATHER": "Gather", "GATHER_ND": "GatherND",
    "EMBEDDING_LOOKUP": "Gather", "TOPK_V2": "TopK",
    "SPACE_TO_DEPTH": "SpaceToDepth",
}  # fmt: skip
"""TFLite operator -> what ONNX calls it; another one keeps its name, and no rule knows it."""


def as_onnx(graph: Graph) -> OnnxGraph:
    """What rules of lint look at. A fused activation is an operator of its own, as in ONNX."""
    return _Translation(graph).result()


class _Translation:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.stored: dict[str, Any] = {}
        self.unfused: list[Any] = []
        twice = Counter(one.name for one in graph.tensors)
        self.names = [f"{one.name}#{number}" if twice[one.name] > 1 else one.name
                      for number, one in enumerate(graph.tensors)]  # fmt: skip

    def result(self) -> OnnxGraph:
        nodes: list[Any] = []
        for operator in self.graph.operators:
            if operator.arithmetic == "unpacking":
                self._store(operator.outputs[0], self.graph.tensors[operator.inputs[0]].constant)
            else:
                nodes += self._nodes(operator)
        values = [self._value(number) for number, name in enumerate(self.names) if name not in self.stored]
        values += self.unfused
        ends = ([self._value(index) for index in side] for side in (self.graph.inputs, self.graph.outputs))
        made = helper.make_graph(nodes, "tflite", *ends, list(self.stored.values()), value_info=values)
        return OnnxGraph(helper.make_model(made))

    def _value(self, index: int, suffix: str = "") -> Any:
        shape = self.graph.tensors[index].shape
        return helper.make_tensor_value_info(self.names[index] + suffix, TensorProto.FLOAT, shape)

    def _store(self, index: int, values: NDArray[Any] | None, order: tuple[int, ...] = ()) -> None:
        if values is not None:
            moved = np.ascontiguousarray(values.transpose(order)) if order else values
            self.stored[self.names[index]] = numpy_helper.from_array(moved, self.names[index])

    def _nodes(self, operator: Operator) -> Iterator[Any]:
        for place, index in enumerate(operator.reads):
            if self.graph.tensors[index].content is not None:
                self._store(index, self.graph.tensors[index].constant, _order(operator.kind, place))
        inputs = [self.names[index] for index in operator.reads]
        if operator.kind == "EMBEDDING_LOOKUP":  # row numbers first
            inputs.reverse()
        outputs = [self.names[index] for index in operator.outputs]
        activation = operator.options.get("fusedActivationFunction") or 0
        made = [outputs[0] + BEFORE] if activation else outputs
        if activation:
            self.unfused.append(self._value(operator.outputs[0], BEFORE))
        if operator.kind == "RELU6":
            yield self._clip(operator.layer, inputs, made)
        else:
            kind = NAMES.get(operator.kind, operator.kind)
            yield helper.make_node(kind, inputs, made, name=operator.layer, **self._attributes(operator))
        if activation == RELU:
            yield helper.make_node("Relu", made, outputs, name=operator.layer)
        elif activation:
            yield self._clip(operator.layer, made, outputs)

    def _clip(self, layer: str, inputs: list[str], outputs: list[str]) -> Any:
        """Between two bounds, whatever they are: RELU6, or one of its rare relatives."""
        for name, value in (("zero", 0), ("six", 6)):
            self.stored[name] = numpy_helper.from_array(np.float32(value), name)
        return helper.make_node("Clip", [*inputs, "zero", "six"], outputs, name=layer)

    def _attributes(self, operator: Operator) -> dict[str, Any]:
        options = operator.options
        if operator.kind == "DEPTHWISE_CONV_2D":
            return {"group": self.graph.tensors[operator.inputs[0]].shape[-1]}
        if operator.kind in ("CONCATENATION", "GATHER"):
            return {"axis": options["axis"] % max(1, len(self.graph.tensors[operator.outputs[0]].shape))}
        if operator.kind.startswith("RESIZE"):
            return {"mode": "nearest" if "NEAREST" in operator.kind else "linear"}
        return {}


def _order(kind: str, place: int) -> tuple[int, ...]:
    """How a weight's dimensions are put into ONNX's order."""
    if place != 1:
        return ()
    orders = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "FULLY_CONNECTED": (1, 0)}
    return orders.get(kind, ())
