"""An ONNX graph as lint reads it: who makes a tensor, who reads it, what is constant, which layer it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, shape_inference

from convert.macs import multiply_accumulates

_NUMBER = re.compile(r":\d+$")


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A model's main graph, with shapes inferred.

    Attributes:
        model: The ModelProto.
    """

    model: Any

    @classmethod
    def of(cls, model: Any) -> OnnxGraph:
        """Infer shapes and index the graph."""
        return cls(shape_inference.infer_shapes(model))

    @cached_property
    def nodes(self) -> list[Any]:
        """In execution order, without the ones that only hold a constant."""
        return [node for node in self.model.graph.node if node.op_type != "Constant"]

    @cached_property
    def _constants(self) -> dict[str, Any]:
        held = {one.name: one for one in self.model.graph.initializer}
        for node in self.model.graph.node:
            value = attribute(node, "value") if node.op_type == "Constant" else None
            if value is not None:
                held[node.output[0]] = value
        return held

    @cached_property
    def _makers(self) -> dict[str, Any]:
        return {name: node for node in self.nodes for name in node.output}

    @cached_property
    def _readers(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        graph = self.model.graph
        return {
            one.name: tuple(int(side.dim_value) for side in one.type.tensor_type.shape.dim)
            for one in (*graph.input, *graph.output, *graph.value_info)
        }

    @cached_property
    def _live(self) -> set[str]:
        held = {one.name for one in self.model.graph.initializer}
        live = {one.name for one in self.model.graph.input} - held
        for node in self.nodes:
            if node.op_type not in ("Shape", "Size") and live & set(node.input):
                live |= set(node.output)
        return live

    @property
    def outputs(self) -> list[str]:
        """Names of what the model returns."""
        return [one.name for one in self.model.graph.output]

    def maker(self, tensor: str) -> Any | None:
        """The node that computes a tensor."""
        return self._makers.get(tensor)

    def readers(self, tensor: str) -> list[Any]:
        """The nodes that read a tensor."""
        return self._readers.get(tensor, [])

    def is_computed(self, tensor: str) -> bool:
        """Whether a tensor depends on the image."""
        return tensor in self._live

    def computed_inputs(self, node: Any) -> list[str]:
        """What a node reads that depends on the image."""
        return [name for name in node.input if name in self._live]

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """A stored tensor's values."""
        held = self._constants.get(tensor)
        return None if held is None else np.asarray(numpy_helper.to_array(held))

    def shape(self, tensor: str) -> tuple[int, ...]:
        """A tensor's shape; 0 stands for what is not known, and it is empty when nothing is."""
        held = self._constants.get(tensor)
        return tuple(held.dims) if held is not None else self._shapes.get(tensor, ())

    def layer(self, node: Any) -> str:
        """The layer that a node belongs to; the node's own name in files that others made."""
        return _NUMBER.sub("", node.name) or str(node.output[0])

    def macs(self, node: Any) -> int:
        """Multiply-accumulates of a convolution or matrix product for one image."""
        first = node.op_type == "Conv" or attribute(node, "transB", 0)
        return multiply_accumulates(self.shape(node.output[0]), self.shape(node.input[1]), 0 if first else -1)

    def sources(self, tensor: str, through: Sequence[str]) -> Iterator[tuple[Any, list[Any]]]:
        """The nodes that a tensor comes from, behind operators of the kinds `through`.

        Yields:
            Each such node, and the operators passed on the way to it.
        """
        waiting: list[tuple[str, list[Any]]] = [(tensor, [])]
        seen: set[str] = set()
        while waiting:
            name, passed = waiting.pop()
            node = self.maker(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            if node.op_type in through:
                waiting += [(one, [*passed, node]) for one in self.computed_inputs(node)]
            else:
                yield node, passed

    def upstream(self, tensor: str, stop: Callable[[Any], bool]) -> list[Any]:
        """All nodes that a tensor is computed by, up to and without those where `stop` holds."""
        found: dict[int, Any] = {}
        waiting = [tensor]
        while waiting:
            node = self.maker(waiting.pop())
            if node is not None and id(node) not in found and not stop(node):
                found[id(node)] = node
                waiting += self.computed_inputs(node)
        return list(found.values())


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """A node's attribute."""
    return next((onnx.helper.get_attribute_value(one) for one in node.attribute if one.name == name), default)
