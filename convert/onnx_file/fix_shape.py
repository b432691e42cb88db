"""A foreign ONNX network at one input size; the size decides every other shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import onnxsim
import torch
from torch import Tensor, nn

from model.foundation.command_line.progress import chatter_aside
from model.foundation.errors import InputError
from model.runtime.onnx_file import adapted, image_input, read_onnx
from model.runtime.onnx_module import OnnxModule


def opened_at(file: Path, height: int, width: int, outputs: Sequence[str] = ()) -> nn.Module:
    """A foreign file as a network that takes [1, 3, height, width], its constants folded.

    Args:
        file: As its authors exported it, channels last too.
        height, width: In pixels.
        outputs: Tensors inside it to return; its outputs where there are none.

    Raises:
        InputError: it has not exactly one input, it cannot run at this size, or it has an operator that
            cannot be converted.
    """
    model = read_onnx(file)
    image = image_input(model, file)
    suppressed = [node for node in model.graph.node if node.op_type == "NonMaxSuppression"]
    try:
        model = adapted(model, image, height, width, outputs)
        network = OnnxModule(fixed(model, image.name, image.shape(height, width), str(file)), outputs)
    except InputError as error:
        remedy = (
            f"; its suppression reads {' and '.join(suppressed[0].input[:2])}: name these"
            if suppressed
            else ""
        )
        where = "" if str(file) in str(error) else f"{file}: "
        raise InputError(f"{where}{error}{remedy}") from None
    try:
        with torch.no_grad():
            network(torch.zeros(image.shape(height, width)))
    except RuntimeError as error:  # PyTorch's, of shapes that do not fit one another
        first = str(error).splitlines()[0]
        shape = image.shape(height, width)
        raise InputError(f"{file} cannot run on an input of shape {shape}: {first}") from None
    return ChannelsLast(network) if image.channels_last else network


class ChannelsLast(nn.Module):
    """A network that takes [1, H, W, 3], for who gives [1, 3, H, W]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The network's outputs."""
        found: tuple[Tensor, ...] = self.network(image.permute(0, 2, 3, 1))
        return found


def fixed(model: onnx.ModelProto, name: str, shape: Sequence[int], where: str) -> onnx.ModelProto:
    """A network of one input at one size: shapes fixed, what they decide computed, constants folded.

    Args:
        model: See `adapted`.
        name, shape: Of its input.
        where: The file, for messages.

    Raises:
        InputError: it cannot run at this size.
    """
    try:
        with chatter_aside():
            simplified, agrees = onnxsim.simplify(model, overwrite_input_shapes={name: list(shape)})
    except Exception as error:  # onnxsim's errors share no base class but Exception
        first = str(error).strip().splitlines()[:1]
        raise InputError(
            f"{where} cannot run on an input of shape {list(shape)}: {' '.join(first)}"
        ) from None
    if not agrees:
        raise InputError(f"{where}: fixed at {list(shape)} it computes other outputs; give another size")
    return simplified
