"""Anybody's ONNX file, of any size and layout, with a spec that says how to feed and read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from convert.doors import Opened
from model.geometry.spec import DetectorSpec

if TYPE_CHECKING:
    pass


def open_onnx(file: Path, spec: DetectorSpec) -> Opened:
    """Read an ONNX file as a network of one size.

    Args:
        file: As its authors exported it: their channel order and scaling outside the graph.
        spec: Says both, the input size, and which outputs are what.

    Raises:
        InputError: no ONNX file, an operator or size it cannot be converted with, weights outside the
            file's folder, or outputs that the spec does not describe.
    """
    from convert.onnx_file.fix_shape import opened_at
    from model.geometry.outputs import physical_names

    network = opened_at(file, spec.input_height, spec.input_width, physical_names(spec))
    return Opened(network, spec, file)
