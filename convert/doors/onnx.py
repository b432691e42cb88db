"""Anybody's ONNX file, of static or dynamic size, with a spec that says how to feed and read it."""

from __future__ import annotations

from pathlib import Path

from convert.doors import Opened
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec


def open_onnx(file: Path, spec: DetectorSpec) -> Opened:
    """Read an ONNX file as a network of one size.

    Args:
        file: As its authors exported it: their channel order and scaling outside the graph.
        spec: Says both, the input size, and which outputs are what.

    Raises:
        InputError: no ONNX file, an operator or size it cannot be converted with, weights outside the
            file's folder, or outputs that the spec does not describe.
    """
    from convert.onnx_file.fix_shape import fixed
    from model.geometry.outputs import physical_names
    from model.runtime.onnx_file import read_onnx
    from model.runtime.onnx_module import OnnxModule

    model = read_onnx(file)
    shape = (1, 3, spec.input_height, spec.input_width)
    names = [item.name for item in model.graph.output]
    if absent := [name for name in physical_names(spec) if name not in names]:
        raise InputError(
            f"{file}: the spec names the outputs {', '.join(absent)}; the file has {', '.join(names)}"
        )
    network = OnnxModule(fixed(model, shape, str(file)), physical_names(spec))
    return Opened(network, spec, file)
