"""Anybody's float TFLite file, weights of float16 too, with a spec that says how to feed and read it."""

from __future__ import annotations

from pathlib import Path

from convert.doors import OpenedFile
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec


def open_tflite(file: Path, spec: DetectorSpec) -> OpenedFile:
    """Check that a TFLite file can be adopted as it stands.

    Args:
        file: As its authors published it: their channel order and scaling outside the graph.
        spec: Says both, the file's input size, and which outputs are what.

    Raises:
        InputError: no TFLite file or a damaged one, quantized already, of several subgraphs, with custom
            operators, or with another input or other outputs than the spec says.
    """
    from convert.tflite.graph import read_graph
    from model.runtime.flatbuffer import read_model
    from model.runtime.running import open_model

    graph = read_graph(file)
    if (count := len(read_model(file).subgraphs)) != 1:
        raise InputError(
            f"{file}: expected one subgraph, found {count}: a branch or a loop cannot be adopted"
        )
    integers = [one for one in graph.tensors if one.scales is not None and not one.type.startswith("float")]
    if integers:
        raise InputError(
            f"{file} is quantized already ({integers[0].name} is {integers[0].type} with a scale): "
            "give the float file that it was made from"
        )
    custom = sorted({one.kind.removeprefix("CUSTOM:") for one in graph.operators if "CUSTOM" in one.kind})
    if custom:
        raise InputError(f"{file}: operators that a plain runtime lacks: {', '.join(custom)}")
    if any(graph.tensors[index].type != "float32" for index in (*graph.inputs, *graph.outputs)):
        raise InputError(f"{file}: expected inputs and outputs of float32")
    open_model(file, spec)
    return OpenedFile(spec, file)
