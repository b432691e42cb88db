"""The heads in front of a decoding that an ONNX file does itself: where an integer file had better end.

A graph that makes boxes of distributions (YOLOv8's exports) takes differences and products of what is small
and what is large. In 256 levels its boxes are off by pixels, and the scores are rounded once more.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convert.onnx_file.fix_shape import opened_at
from convert.onnx_file.graph import OnnxGraph
from model.geometry.boxes import Floats
from model.geometry.decoders import decoder_of
from model.geometry.outputs import SIDES, Part, joined
from model.geometry.spec import DetectorSpec
from model.runtime.onnx_file import read_onnx

PIXELS = 0.05
"""A box that is read from the heads may be so far from the graph's own: both are in single precision."""
PROBABILITY = 1e-4


def undecoded(file: Path, spec: DetectorSpec) -> DetectorSpec | None:
    """The same detector, read from the convolutions in front of its decoding.

    Args:
        file: An ONNX file with one output.
        spec: Reads boxes that the file has decoded, and scores.

    Returns:
        A spec of distributions and logits; None where the file has no such heads, or where what is read from
        them is not what the file makes of a picture of noise.
    """
    names = _heads(OnnxGraph(read_onnx(file)))
    wanted = (*names, Part.read(spec.boxes_from[0]).name)
    noise = np.random.default_rng(0).random((1, 3, spec.input_height, spec.input_width), np.float32)
    with torch.no_grad():
        found = opened_at(file, spec.input_height, spec.input_width, wanted)(torch.from_numpy(noise))
    values = {name: one.numpy() for name, one in zip(wanted, found, strict=True)}
    proposed = _spec_of({name: values[name] for name in names}, spec)
    return proposed if proposed is not None and _agree(values, proposed, spec) else None


def _heads(graph: OnnxGraph) -> list[str]:
    """What the last convolutions make, but for those that only take a distribution's mean."""
    stops: dict[str, Any] = {}

    def is_head(node: Any) -> bool:
        if node.op_type == "Conv" and not _takes_mean(graph, node):
            stops[str(node.output[0])] = node
        return str(node.output[0]) in stops

    for output in graph.outputs:
        graph.upstream(output, is_head)
    return list(stops)


def _takes_mean(graph: OnnxGraph, node: Any) -> bool:
    """Whether its weights are 0, 1, 2, ... : the distances of a distribution."""
    weights = graph.constant(node.input[1])
    return (
        weights is not None and np.array_equal(weights.ravel(), np.arange(weights.size)) and weights.size > 1
    )


def _spec_of(heads: dict[str, Floats], spec: DetectorSpec) -> DetectorSpec | None:
    """Heads that are maps, a pair a level: 4 R channels of distributions, and the classes'."""
    maps = {name: one for name, one in heads.items() if one.ndim == len("NCHW")}
    order = sorted(maps, key=lambda name: -maps[name].size // maps[name].shape[1])
    scores = [name for name in order if maps[name].shape[1] == spec.score_channels]
    boxes = [name for name in order if name not in scores and maps[name].shape[1] % SIDES == 0]
    if not len(heads) == 2 * len(spec.strides) == 2 * len(scores) == 2 * len(boxes):
        return None
    return replace(
        spec,
        decoder="cell_distances:centre",
        boxes_from=tuple(f"dfl({name}.T)" for name in boxes),
        scores_from=tuple(f"sigmoid({name}.T)" for name in scores),
    )


def _agree(values: dict[str, Floats], proposed: DetectorSpec, spec: DetectorSpec) -> bool:
    """Whether two specs read the same boxes in pixels and the same scores."""
    boxes, scores = zip(*(_decoded(values, one) for one in (proposed, spec)), strict=True)
    return all(
        first.shape == second.shape and float(np.abs(first - second).max()) < limit
        for (first, second), limit in ((boxes, PIXELS), (scores, PROBABILITY))
    )


def _decoded(values: dict[str, Floats], spec: DetectorSpec) -> tuple[Floats, Floats]:
    boxes, scores, _ = joined(values, spec)
    return decoder_of(spec).boxes(boxes[0], np.arange(boxes.shape[1]), spec), scores[0]
