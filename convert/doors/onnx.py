"""Anybody's ONNX file, of static or dynamic size, with a spec that says how to feed and read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convert.doors import Opened
from model.foundation.damage import damage_is_said
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec

if TYPE_CHECKING:
    import onnx

    from model.runtime.onnx_module import OnnxModule


def open_onnx(file: Path, spec: DetectorSpec) -> Opened:
    """Read an ONNX file as a network of one size.

    Args:
        file: As its authors exported it: their channel order and scaling outside the graph.
        spec: Says both, the input size, and which outputs are what.

    Raises:
        InputError: no ONNX file, an operator or size it cannot be converted with, weights outside the
            file's folder, or outputs that the spec does not describe.
    """
    from model.geometry.outputs import physical_names
    from model.runtime.onnx_file import read_onnx

    model = read_onnx(file)
    shape = (1, 3, spec.input_height, spec.input_width)
    names = [item.name for item in model.graph.output]
    if absent := [name for name in physical_names(spec) if name not in names]:
        raise InputError(
            f"{file}: the spec names the outputs {', '.join(absent)}; the file has {', '.join(names)}"
        )
    return Opened(running(file, model, shape, physical_names(spec)), spec, file)


def running(
    file: Path, model: onnx.ModelProto, shape: Sequence[int], outputs: Sequence[str] = ()
) -> OnnxModule:
    """A graph as a module that was seen to run: damaged ones contradict themselves, others fix another size.

    Raises:
        InputError: it cannot be built, or does not run.
    """
    import torch

    from convert.onnx_file.fix_shape import fixed
    from model.runtime.onnx_module import OnnxModule

    with damage_is_said(f"{file} does not run on an input of {list(shape)}"), torch.no_grad():
        network = OnnxModule(fixed(model, shape, str(file)), outputs)
        network(torch.zeros(*shape))
    return network
