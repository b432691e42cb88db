"""Operators, tensors, buffers and operator codes that no output needs are left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def drop_unused(model: Any) -> None:
    """Keep what the outputs of the first subgraph are computed from, the inputs, and the metadata."""
    graph = model.subgraphs[0]
    graph.operators = _needed(graph)
    _renumber_tensors(model, graph)
    _renumber_buffers(model, graph)
    used = sorted({operator.opcodeIndex for operator in graph.operators})
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for operator in graph.operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def _needed(graph: Any) -> list[Any]:
    wanted = {int(index) for index in graph.outputs}
    kept = []
    for operator in reversed(graph.operators):
        if wanted.intersection(int(index) for index in operator.outputs):
            wanted.update(int(index) for index in operator.inputs)
            kept.append(operator)
    return kept[::-1]


def _renumber_tensors(model: Any, graph: Any) -> None:
    lists = [one for operator in graph.operators for one in (operator.inputs, operator.outputs)]
    used = sorted({int(index) for one in (graph.inputs, graph.outputs, *lists) for index in one} - {-1})
    places = {-1: -1, **{index: place for place, index in enumerate(used)}}

    def moved(indices: Iterable[Any]) -> Any:
        return np.array([places[int(index)] for index in indices], np.int32)

    graph.tensors = [graph.tensors[index] for index in used]
    graph.inputs, graph.outputs = moved(graph.inputs), moved(graph.outputs)
    for operator in graph.operators:
        operator.inputs, operator.outputs = moved(operator.inputs), moved(operator.outputs)
    for signature in model.signatureDefs or []:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = places[entry.tensorIndex]


def _renumber_buffers(model: Any, graph: Any) -> None:
    """Buffer 0 stays: it stands for "computed"."""
    holders = [*graph.tensors, *(model.metadata or [])]
    used = sorted({0, *(holder.buffer for holder in holders)})
    model.buffers = [model.buffers[index] for index in used]
    for holder in holders:
        holder.buffer = used.index(holder.buffer)
