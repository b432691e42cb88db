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
        faces: (scores [N, C], spec) -> probability of a face [N].
        boxes: (box rows [M, 4] of the candidates, their numbers [M], spec) -> boxes_xyxy [M, 4] in pixels.
        landmarks: (landmark rows [M, 2 P], boxes_xyxy [M, 4], numbers [M], spec) -> points [M, P, 2],
            in pixels.
        variants: What may stand behind the colon; the first is meant where nothing does.
    """

    faces: Callable[[Floats, DetectorSpec], Floats]
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


def last_channel(scores: Floats, _: DetectorSpec) -> Floats:
    """The face's probability where it is the only channel, or the last behind the background's."""
    return scores[:, -1]
