"""From a network's rows of numbers to boxes, a file a way of coding: a new decoder is a new file here.

A network returns three groups of rows, one row a candidate (an anchor, a cell of a level): boxes
[N, 4], scores [N, C] and landmarks [N, 2 P]. N is `spec.anchor_count`: levels in the order of the
strides, cells row by row, the anchors of a cell fastest. What the numbers mean is the decoder's
business, which `spec.decoder` names: "NAME" or "NAME:VARIANT".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.foundation.errors import InputError
from model.foundation.registry import Registry
from model.geometry.spec import DetectorSpec

Floats = NDArray[np.float32]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Decoder:
    """One way of coding boxes.

    Attributes:
        classes: (scores [N, C], spec) -> probability of each of the spec's K classes [N, K].
        boxes: (box rows [M, 4] of the candidates, their numbers [M], spec) -> boxes_xyxy [M, 4] in pixels.
        landmarks: (landmark rows [M, 2 P], boxes_xyxy [M, 4], numbers [M], spec) -> points [M, P, 2],
            in pixels.
        variants: What may stand behind the colon; the first is meant where nothing does.
    """

    classes: Callable[[Floats, DetectorSpec], Floats]
    boxes: Callable[[Floats, Index, DetectorSpec], Floats]
    landmarks: Callable[[Floats, Floats, Index, DetectorSpec], Floats]
    variants: tuple[str, ...] = ("",)


DECODERS: Registry[Decoder] = Registry("model.geometry.decoders", "DECODER", "decoder")


def decoder_of(spec: DetectorSpec) -> Decoder:
    """The decoder that a spec names.

    Raises:
        InputError: there is no such decoder, or it has no such variant.
    """
    name, _, variant = spec.decoder.partition(":")
    decoder = DECODERS[name]
    if variant and variant not in decoder.variants:
        raise InputError(f"decoder {name} has no variant {variant!r}: expected one of {decoder.variants}")
    return decoder


def variant_of(spec: DetectorSpec) -> str:
    """The variant that a spec names, or the decoder's first."""
    return spec.decoder.partition(":")[2] or decoder_of(spec).variants[0]


def best_class(scores: Floats, spec: DetectorSpec) -> Floats:
    """Probability [N] of the best class of each row of scores [N, C]."""
    return np.asarray(decoder_of(spec).classes(scores, spec).max(axis=1))


def behind_background(scores: Floats, spec: DetectorSpec) -> Floats:
    """Scores [N, C] -> classes [N, K]; the first of several columns is background, if not objectness."""
    return certain(scores, spec, ahead=scores.shape[1] > 1)


def certain(scores: Floats, spec: DetectorSpec, ahead: bool) -> Floats:
    """Scores [N, C] -> classes [N, K], times the objectness where the spec names one; see `split_scores`."""
    first, classes = split_scores(scores, spec, ahead)
    return classes if first is None or not spec.objectness_from else product(first, classes)


def product(objectness: Floats, classes: Floats) -> Floats:
    """Objectness [N, 1] and classes [N, K] -> their product [N, K], both held within 0..1."""
    return np.clip(objectness, 0, 1) * np.clip(classes, 0, 1)


def split_scores(scores: Floats, spec: DetectorSpec, ahead: bool) -> tuple[Floats | None, Floats]:
    """Scores [N, C] -> the column before the classes [N, 1], and the best column of each class [N, K].

    Args:
        scores: Probabilities.
        spec: Says what the columns mean; where it does not, all are a face's.
        ahead: Whether a column stands before those of the classes, if the spec does not say so.
    """
    if spec.classes or spec.objectness_from:
        ahead = bool(spec.objectness_from) or scores.shape[1] > len(spec.classes)
    first, columns = (scores[:, :1], scores[:, 1:]) if ahead else (None, scores)
    names = np.array(spec.classes or spec.class_names * columns.shape[1])
    if len(names) > 1:
        columns = np.stack([columns[:, names == one].max(axis=1) for one in spec.class_names], axis=1)
    return first, columns
