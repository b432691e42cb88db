"""A foreign ONNX network at one input size; the size decides every other shape."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnxsim

from model.foundation.errors import InputError


def fixed(model: onnx.ModelProto, shape: Sequence[int], where: str) -> onnx.ModelProto:
    """A network of one input at one size: shapes fixed, what they decide computed, constants folded.

    Args:
        model: As its authors exported it.
        shape: Of its input, [1, 3, H, W].
        where: The file, for messages.

    Raises:
        InputError: it has not exactly one input, or it cannot run at this size.
    """
    stored = {item.name for item in model.graph.initializer}
    inputs = [item.name for item in model.graph.input if item.name not in stored]
    if len(inputs) != 1:
        raise InputError(f"{where}: expected one input, an image, found {len(inputs)}: {', '.join(inputs)}")
    try:
        simplified, agrees = onnxsim.simplify(model, overwrite_input_shapes={inputs[0]: list(shape)})
    except Exception as error:  # onnxsim's errors share no base class but Exception
        first = str(error).strip().splitlines()[:1]
        raise InputError(
            f"{where} cannot run on an input of shape {list(shape)}: {' '.join(first)}"
        ) from None
    if not agrees:
        raise InputError(f"{where}: fixed at {list(shape)} it computes other outputs; give another size")
    return simplified
