"""Give what shares an output outputs of its own: one scale cannot serve boxes in pixels and probabilities.

Source: what others report of YOLOv8's [4 + C, N] in int8, whose scores vanish on the boxes' scale.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convert.tflite.edit import add_constant, add_tensor_like, makers_of, output_called, shape_of, values_of
from convert.tflite.passes.unused import drop_unused
from model.geometry.outputs import Part
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import text

ROLES = ("boxes", "scores", "landmarks", "objectness")


def separate_outputs(model: Any, spec: DetectorSpec) -> DetectorSpec:
    """Cut every output that the spec reads several roles from, if moving data is all that joins them.

    Each role's channels are followed back through concatenations, transpositions and reshapes to the tensors
    that were joined; what the joining did to them is done to them apart. No value changes. An output that
    cannot be cut so stays as it is.

    Args:
        model: ModelT of a float file; edited in place.
        spec: Its spec.

    Returns:
        The spec of the new outputs, called OUTPUT/ROLE; the one given if nothing was cut.
    """
    for name in shared_outputs(spec):
        parts = _parts(spec, name)
        cutter = _Cutter(model, name)
        tensors = {role: cutter.cut(part, role) for role, part in parts.items()}
        if all(tensor is not None for tensor in tensors.values()):
            _put_outputs(model, name, {f"{name}/{role}": tensor for role, tensor in tensors.items()})
            spec = _renamed(spec, name)
    drop_unused(model)
    return spec


def shared_outputs(spec: DetectorSpec) -> list[str]:
    """Names of the outputs that a spec reads several roles from, each role once."""
    read = [Counter(part.name for part in _read(spec, role)) for role in ROLES]
    roles = Counter(name for names in read for name in names)
    return [name for name, count in roles.items() if count > 1 and all(one[name] <= 1 for one in read)]


def _texts(spec: DetectorSpec, role: str) -> tuple[str, ...]:
    texts: tuple[str, ...] = getattr(spec, f"{role}_from")
    return texts


def _parts(spec: DetectorSpec, output: str) -> dict[str, Part]:
    """Role -> its part of an output, in the order of the roles."""
    return {role: part for role in ROLES for part in _read(spec, role) if part.name == output}


def _read(spec: DetectorSpec, role: str) -> list[Part]:
    return [part for one in _texts(spec, role) for part in Part.read_all(one)]


def _renamed(spec: DetectorSpec, output: str) -> DetectorSpec:
    fields: dict[str, Any] = {}
    for role in ROLES:
        fields[f"{role}_from"] = tuple(
            "|".join(
                str(replace(part, name=f"{output}/{role}", channels=None) if part.name == output else part)
                for part in Part.read_all(one)
            )
            for one in _texts(spec, role)
        )
    return replace(spec, **fields)


class _Cutter:
    """Finds or makes tensors that hold some channels of one output."""

    def __init__(self, model: Any, output: str) -> None:
        self._model, self._graph = model, model.subgraphs[0]
        self._makers, self._tensor = makers_of(model), output_called(model, output)
        self._role = ""

    def cut(self, part: Part, role: str) -> int | None:
        """The tensor that holds a part of the output and nothing else; None where there can be none."""
        shape = self._shape(self._tensor)
        axis = int(len(shape) > 2 and shape[0] == 1) if part.turned else len(shape) - 1
        first, last = part.channels or (0, shape[axis])
        self._role = role
        return self._slice(self._tensor, axis, first, last)

    def _shape(self, tensor: int) -> tuple[int, ...]:
        return shape_of(self._model, tensor)

    def _slice(self, tensor: int, axis: int, first: int, last: int) -> int | None:
        if (first, last) == (0, self._shape(tensor)[axis]):
            return tensor
        kind, maker = self._makers.get(tensor, ("", None))
        way = _WAYS.get(kind)
        return None if way is None else way(self, maker, axis, first, last)

    def through_concatenation(self, maker: Any, axis: int, first: int, last: int) -> int | None:
        """Those joined along the channels that lie between first and last; all, cut, along another axis."""
        shape = self._shape(maker.outputs[0])
        joined_along = maker.builtinOptions.axis % len(shape)
        pieces, start = [], 0
        for entry in map(int, maker.inputs):
            if joined_along != axis:
                pieces.append(self._slice(entry, axis, first, last))
                continue
            size = self._shape(entry)[axis]
            inside = max(first - start, 0), min(last - start, size)
            if inside[0] < inside[1]:
                pieces.append(self._slice(entry, axis, *inside))
            start += size
        found = [piece for piece in pieces if piece is not None]
        if len(found) < len(pieces) or maker.builtinOptions.fusedActivationFunction:
            return None
        return found[0] if len(found) == 1 else self._again(maker, found, axis, last - first)

    def through_transposition(self, maker: Any, axis: int, first: int, last: int) -> int | None:
        """The same channels before they changed places."""
        order = values_of(self._model, int(maker.inputs[1]))
        if order is None:
            return None
        found = self._slice(int(maker.inputs[0]), int(order[axis]), first, last)
        return (
            None if found is None else self._again(maker, [found, int(maker.inputs[1])], axis, last - first)
        )

    def through_reshape(self, maker: Any, axis: int, first: int, last: int) -> int | None:
        """The same channels of another shape, if it leaves their axis and what lies behind it alone."""
        before, after = self._shape(maker.inputs[0]), self._shape(maker.outputs[0])
        behind = math.prod(after[axis + 1 :])
        same = [
            place
            for place, side in enumerate(before)
            if side == after[axis] and math.prod(before[place + 1 :]) == behind
        ]
        found = self._slice(int(maker.inputs[0]), same[-1], first, last) if same else None
        if found is None:
            return None
        shape = np.array([*after[:axis], last - first, *after[axis + 1 :]], np.int32)
        made = self._again(
            maker, [found, add_constant(self._model, self._named("shape"), shape)], axis, last - first
        )
        if (options := self._graph.operators[self._place(made)].builtinOptions) is not None:
            options.newShape = shape
        return made

    def _again(self, maker: Any, inputs: Sequence[int], axis: int, channels: int) -> int:
        """Do what an operator does to other inputs, right behind it; its output has so many channels."""
        old = int(maker.outputs[0])
        shape = list(self._shape(old))
        shape[axis] = channels
        made = add_tensor_like(self._model, old, self._named(text(self._graph.tensors[old].name)), shape)
        operator = copy.copy(maker)
        operator.builtinOptions = copy.copy(maker.builtinOptions)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([made], np.int32)
        self._graph.operators.insert(self._place(old) + 1, operator)
        return made

    def _named(self, name: str) -> str:
        return f"{name}/{self._role}"

    def _place(self, tensor: int) -> int:
        """Where the operator that makes a tensor stands."""
        makers = (place for place, one in enumerate(self._graph.operators) if tensor in one.outputs)
        return next(makers)


_WAYS: dict[str, Callable[[_Cutter, Any, int, int, int], int | None]] = {
    "CONCATENATION": _Cutter.through_concatenation,
    "TRANSPOSE": _Cutter.through_transposition,
    "RESHAPE": _Cutter.through_reshape,
}


def _put_outputs(model: Any, name: str, made: dict[str, int | None]) -> None:
    """Put tensors in place of an output, in the signature and in the graph."""
    entries = []
    for entry in model.signatureDefs[0].outputs:
        if text(entry.name) != name:
            entries.append(entry)
            continue
        for new, tensor in made.items():
            one = copy.copy(entry)
            one.name, one.tensorIndex = new, tensor
            entries.append(one)
    model.signatureDefs[0].outputs = entries
    model.subgraphs[0].outputs = np.array([entry.tensorIndex for entry in entries], np.int32)
