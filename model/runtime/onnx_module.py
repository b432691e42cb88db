"""An ONNX graph as a PyTorch module: a foreign network that any device runs and any converter takes.

Shapes are fixed and constants folded before, so what is left is a list of plain operators.
Convolutions become `nn.Conv2d` children: the layers of a TFLite file made from it bear their names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from model.foundation.errors import InputError
from model.runtime.onnx_operators import LAYERS, OPERATORS, PARAMETERS, Attributes, Operator, Values


class OnnxModule(nn.Module):
    """The graph as a module: float32 inputs in the graph's order -> a tuple of outputs."""

    def __init__(self, model: onnx.ModelProto, outputs: Sequence[str] = ()) -> None:
        """
        Args:
            model: With static shapes and folded constants.
            outputs: Tensors of the graph to return, in this order; empty: all of the graph's outputs.
                What they do not need is not run, and need not be supported.

        Raises:
            InputError: an operator, or a form of one, that is not supported; all such are named.
        """
        super().__init__()
        constants = _constants(model.graph)
        self._inputs = [item.name for item in model.graph.input if item.name not in constants]
        self._outputs = list(outputs) or [item.name for item in model.graph.output]
        nodes = _needed(model.graph, self._outputs)
        if unknown := sorted({_full_name(node) for node in nodes if node.domain or not _known(node.op_type)}):
            raise InputError(f"operators that cannot be converted: {', '.join(unknown)}")
        self._steps = [self._step(node, constants) for node in nodes if node.op_type != "Constant"]
        read = {name for _, names, _ in self._steps for name in names} | set(self._outputs)
        self._constants: dict[str, str] = {}
        for name in [name for name in constants if name in read]:
            self._constants[name] = f"constant_{len(self._constants)}"
            self.register_buffer(self._constants[name], constants[name])
        self.eval()

    def _step(
        self, node: Any, constants: dict[str, Tensor]
    ) -> tuple[Callable[[Values], Any], list[str], list[str]]:
        """What a node runs, the tensors it reads, and those it makes."""
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        names, made = list(node.input), list(node.output)
        if node.op_type in LAYERS and all(name in constants for name in names[1:]):
            layer = LAYERS[node.op_type]([constants[name] for name in names[1:]], attributes)
            self.add_module(_module_name(node, self), layer)
            return _Layer(layer), names[:1], made
        if node.op_type not in OPERATORS:
            raise InputError(f"{_full_name(node)} with weights that are computed cannot be converted")
        given = {
            place: _parameter(node, names[place], constants)
            for place in PARAMETERS.get(node.op_type, ())
            if place < len(names)
        }
        names = ["" if place in given else name for place, name in enumerate(names)]
        return _Step(OPERATORS[node.op_type], attributes, given), names, made

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the operators in the graph's order."""
        found: dict[str, Any] = {"": None, **dict(zip(self._inputs, inputs, strict=True))}
        found |= {name: getattr(self, buffer) for name, buffer in self._constants.items()}
        for run, names, outputs in self._steps:
            result = run([found[name] for name in names])
            for name, value in zip(outputs, result if isinstance(result, tuple) else (result,), strict=False):
                found[name] = value
        return tuple(found[name] for name in self._outputs)


class _Layer:
    """A child module in the list of steps; no closure, for a copy of the list must call the child's copy."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(self, values: Values) -> Any:
        return self._module(values[0])


class _Step:
    """An operator with its attributes and those of its inputs that are numbers of the graph."""

    def __init__(self, run: Operator, attributes: Attributes, given: dict[int, Any]) -> None:
        self._run, self._attributes, self._given = run, attributes, given

    def __call__(self, values: Values) -> Any:
        found = [self._given.get(place, value) for place, value in enumerate(values)]
        return self._run(found, self._attributes)


def _constants(graph: Any) -> dict[str, Tensor]:
    """Every tensor that the graph holds, by name."""
    found = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            (attribute,) = node.attribute
            value = helper.get_attribute_value(attribute)
            array = numpy_helper.to_array(value).copy() if attribute.name == "value" else None
            found[node.output[0]] = torch.tensor(value) if array is None else torch.from_numpy(array)
    return found


def _needed(graph: Any, outputs: Sequence[str]) -> list[Any]:
    """The nodes that some tensors are computed by, in the graph's order."""
    wanted, nodes = set(outputs), []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(name for name in node.input if name)
            nodes.append(node)
    return nodes[::-1]


def _parameter(node: Any, name: str, constants: dict[str, Tensor]) -> Any:
    """The value of an input that decides shapes: plain numbers, for the trace must not see a tensor."""
    if not name:
        return None
    if name not in constants:
        raise InputError(
            f"{node.op_type} {node.name}: {name} is computed at run time; export with a fixed size"
        )
    return constants[name].tolist()


def _full_name(node: Any) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else str(node.op_type)


def _known(kind: str) -> bool:
    return kind in OPERATORS or kind in LAYERS or kind == "Constant"


def _module_name(node: Any, module: nn.Module) -> str:
    name = str(node.name or node.output[0]).strip("/").replace(".", "_") or str(node.op_type)
    taken, number = name, 1
    while hasattr(module, taken):
        taken, number = f"{name}_{number}", number + 1
    return taken
