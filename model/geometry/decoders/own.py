"""The author's own function, named by `--decode package.module:function`: what no other file here reads.

    decode(outputs, spec) -> boxes_xyxy [N, 4], scores [N, C], landmarks [N, 2 P]

takes the outputs that the spec lists by name, float32, and returns pixels of the network's input. A spec is
data: it says that there is such a function, never which.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from model.foundation.command_line.command_table import DECODE
from model.foundation.errors import InputError
from model.foundation.named_function import named_function
from model.geometry.decoders import Decoder, Floats, Index, certain
from model.geometry.spec import DetectorSpec


def decoded(outputs: Mapping[str, Floats], spec: DetectorSpec) -> tuple[Floats, Floats, Floats]:
    """What the user's function makes of outputs: boxes, scores and landmarks, float32 [1, N, C] each.

    Raises:
        InputError: no function was named, it fails, or it returns something else.
    """
    name = os.environ.get(DECODE, "")
    if not name:
        raise InputError(
            f"{spec.network} is read by a function of its author's: name it with --decode "
            "package.module:function (make: DECODE=)"
        )
    decode = named_function(name)
    try:
        found = [np.asarray(one, np.float32) for one in decode(dict(outputs), spec)]
    except Exception as error:  # whatever a stranger's code raises
        raise InputError(f"{name} fails on the outputs ({type(error).__name__}: {error})") from None
    if len(found) != 3 or any(one.ndim != 2 or len(one) != len(found[0]) for one in found):
        shapes = ", ".join(str(list(one.shape)) for one in found)
        raise InputError(
            f"{name}: expected boxes [N, 4], scores [N, C] and landmarks [N, 2 P], found {shapes}"
        )
    boxes, scores, landmarks = (one[None] for one in found)
    return boxes, scores, landmarks


def _classes(scores: Floats, spec: DetectorSpec) -> Floats:
    return certain(scores, spec, ahead=False)


def _boxes(rows: Floats, _: Index, __: DetectorSpec) -> Floats:
    return rows


def _landmarks(rows: Floats, _boxes_xyxy: Floats, _: Index, __: DetectorSpec) -> Floats:
    return np.asarray(rows.reshape(len(rows), rows.shape[1] // 2, 2), np.float32)


DECODER = Decoder(_classes, _boxes, _landmarks)
