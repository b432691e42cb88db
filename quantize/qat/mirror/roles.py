"""What a file's outputs are for: boxes, scores and landmarks of several pictures, as the spec says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from convert.tflite.graph import Graph
from model.foundation.errors import InputError
from model.geometry.outputs import computed_names, joined, output_names, without_sigmoids
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Outputs


class Roles:
    """Where every value of boxes, scores and landmarks stands among a file's outputs.

    The spec's own `joined` says so, once, of outputs that hold their values' numbers.
    """

    def __init__(self, graph: Graph, spec: DetectorSpec) -> None:
        """
        Raises:
            InputError: boxes or landmarks are read through a sigmoid, or anything through dfl(...).
        """
        if found := computed_names(spec):
            raise InputError(
                f"{found[0]} is read through more than a sigmoid: such a file cannot be trained yet"
            )
        shapes = [graph.tensors[index].shape for index in graph.outputs]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        numbers = np.split(np.arange(ends[-1]), ends[:-1])
        names = output_names([graph.tensors[index].name for index in graph.outputs], spec)
        numbered = {name: one.reshape(shape) for name, one, shape in zip(names, numbers, shapes, strict=True)}
        rows = joined(numbered, without_sigmoids(spec))  # moved about, never computed with
        self._places = [torch.from_numpy(one[0].astype(np.int64)) for one in rows]
        # A sigmoid makes 0.5 of zeros, and everything else leaves them.
        zeros = {name: np.zeros(one.shape, np.float32) for name, one in numbered.items()}
        boxes, scores, landmarks = joined(zeros, spec)
        if boxes.any() or landmarks.any():
            raise InputError(
                "boxes or landmarks are read through sigmoid(...): such a file cannot be trained"
            )
        self.squashed = torch.from_numpy(scores[0] > 0)
        """Which scores [N, C] the file leaves as logits."""
        through = rows[1][scores == 0].astype(np.int64)
        read = set(np.searchsorted(ends, through, side="right").tolist())
        self.probable = frozenset(graph.outputs[number] for number in read)
        """Indices of the outputs that scores are read from as probabilities."""

    def rows(self, outputs: Sequence[Tensor], batch: int) -> Outputs:
        """Boxes [B, N, 4], scores [B, N, C] and landmarks [B, N, 2 P] of the file's outputs, in its order."""
        flat = torch.cat([one.reshape(batch, -1) for one in outputs], 1)
        boxes, scores, landmarks = (
            flat[:, place.reshape(-1).to(flat.device)].reshape(batch, *place.shape) for place in self._places
        )
        return boxes, scores, landmarks
