"""A softmax of background and face becomes the difference of both logits; who reads it takes the sigmoid.

exp(face) / (exp(face) + exp(background)) = sigmoid(face - background), and the convolution makes the
difference itself, with half of its rows. An int8 probability has 256 values, and all logits above 5.5 share
the last: that alone cost RetinaFace at 640 a point of AP. Besides, SOFTMAX rounds otherwise on x86 than on
ARM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.tflite.edit import add_constant, makers_of, output_called, shape_of, values_of
from convert.tflite.passes.unused import drop_unused
from model.geometry.decoders import decoder_of
from model.geometry.outputs import OWN, Part
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import text

PAIR = np.array([[0.25, 0.75]], np.float32)
"""Scores of background and face."""
BY_ROWS = ("CONV_2D", "FULLY_CONNECTED")
"""Operators whose weights have a row for each channel that they make."""


def read_logits(model: Any, spec: DetectorSpec) -> DetectorSpec:
    """Take the softmax off scores of background and face, if only data movement separates it from weights.

    Args:
        model: ModelT of a float file; edited in place.
        spec: Its spec.

    Returns:
        The spec with `sigmoid(OUTPUT)` as scores of one channel; the one given if anything is in the way.
    """
    names = spec.scores_from or spec.output_names[1:2]
    graph = model.subgraphs[0]
    found = [_Softmax(model, name) for name in names] if _is_background_first(spec) else []
    if not found or not all(one.is_free for one in found):
        return spec
    for one in found:
        one.take_off()
    places = {one.probabilities: one.logits for one in found}
    graph.outputs = np.array([places.get(int(index), int(index)) for index in graph.outputs], np.int32)
    for entry in model.signatureDefs[0].outputs:
        entry.tensorIndex = places.get(int(entry.tensorIndex), int(entry.tensorIndex))
    drop_unused(model)
    logits = tuple(f"sigmoid({name})" for name in names)
    return replace(spec, scores_from=logits, score_channels=1, classes=spec.classes[-1:])


def _is_background_first(spec: DetectorSpec) -> bool:
    """Whether scores are plain outputs of two columns, of which the second is a face's probability."""
    if spec.decoder == OWN or spec.score_channels != PAIR.size or spec.objectness_from:
        return False
    plain = all([one] == [part.name for part in Part.read_all(one)] for one in spec.scores_from)
    return plain and np.array_equal(decoder_of(spec).classes(PAIR, spec), PAIR[:, 1:])


class _Softmax:
    """The SOFTMAX that makes an output, and the operators from the weights to it.

    Attributes:
        probabilities, logits: Tensors that it makes and reads; -1 where no such SOFTMAX makes the output.
    """

    def __init__(self, model: Any, output: str) -> None:
        self._model, self._graph = model, model.subgraphs[0]
        self._makers = makers_of(model)
        self._uses = Counter(int(index) for one in self._graph.operators for index in one.inputs)
        self._uses.update(int(index) for index in self._graph.outputs)
        found = output_called(model, output)
        kind, maker = self._makers.get(found, ("", None))
        pair = kind == "SOFTMAX" and maker.builtinOptions.beta == 1 and self._shape(found)[-1] == PAIR.size
        self.probabilities, self.logits = (found, int(maker.inputs[0])) if pair else (-1, -1)

    @property
    def is_free(self) -> bool:
        """Whether the SOFTMAX can be taken off."""
        return self.logits >= 0 and all(self._halves(index) for index in self._tensors(self.logits))

    def take_off(self) -> None:
        """Let the weights make differences; the tensor of logits takes the name of the probabilities."""
        tensors = self._graph.tensors
        for index in list(self._tensors(self.logits)):
            kind, maker = self._makers[index]
            tensors[index].shape = np.array([*self._shape(index)[:-1], self._shape(index)[-1] // 2], np.int32)
            tensors[index].shapeSignature = None
            if kind in BY_ROWS:
                constants = [self._subtracted(int(entry)) for entry in maker.inputs[1:] if entry >= 0]
                maker.inputs = np.array([maker.inputs[0], *constants], np.int32)
            elif kind == "RESHAPE":
                name = f"{text(tensors[index].name)}/shape"
                shape = add_constant(self._model, name, tensors[index].shape)
                maker.inputs = np.array([maker.inputs[0], shape], np.int32)
                if maker.builtinOptions is not None:
                    maker.builtinOptions.newShape = tensors[index].shape
        tensors[self.logits].name = tensors[self.probabilities].name

    def _tensors(self, index: int) -> Iterator[int]:
        """A tensor and those that are moved about to become it."""
        yield index
        kind, maker = self._makers.get(index, ("", None))
        entries = {"CONCATENATION": None, "RESHAPE": 1, "TRANSPOSE": 1}
        if kind in entries:
            for entry in maker.inputs[: entries[kind]]:
                yield from self._tensors(int(entry))

    def _halves(self, index: int) -> bool:
        """Whether a tensor can hold differences: its pairs stay neighbours, and nothing else reads it."""
        kind, maker = self._makers.get(index, ("", None))
        if maker is None or self._uses[index] != 1 or self._shape(index)[-1] % 2:
            return False
        if getattr(maker.builtinOptions, "fusedActivationFunction", 0):
            return False
        last = len(self._shape(index)) - 1
        if kind == "CONCATENATION":
            return bool(maker.builtinOptions.axis not in (last, -1))
        if kind == "TRANSPOSE":
            order = values_of(self._model, int(maker.inputs[1]))
            return order is not None and bool(order[-1] == last)
        if kind in BY_ROWS:
            return all(values_of(self._model, int(one)) is not None for one in maker.inputs[1:] if one >= 0)
        return kind == "RESHAPE"

    def _subtracted(self, constant: int) -> int:
        """Add each second row less the one before it, of weights or of a bias."""
        rows: NDArray[np.float64] = values_of(self._model, constant).astype(np.float64)
        name = text(self._graph.tensors[constant].name)
        return add_constant(self._model, name, (rows[1::2] - rows[::2]).astype(np.float32))

    def _shape(self, index: int) -> tuple[int, ...]:
        return shape_of(self._model, index)
