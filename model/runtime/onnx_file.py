"""ONNX files are read in one place, so that what is wrong with one is said in one way; and carry a spec."""

from __future__ import annotations

import json
from pathlib import Path

import onnx

from model.foundation.errors import InputError
from model.geometry.spec import SPEC_METADATA, DetectorSpec


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    It is not checked further: runtimes take files that ONNX's own checker refuses, such as outputs
    without a shape.

    Raises:
        InputError: no such file, no ONNX model, damaged, or its weights lie outside its folder.
    """
    if not path.is_file():
        raise InputError(f"no such ONNX file: {path}")
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's and onnx's errors share no base class but Exception
        line = str(error).strip().splitlines()
        raise InputError(
            f"{path} is no ONNX file, or it is damaged ({line[0] if line else error!r})"
        ) from None
    if not model.graph.node:  # so reads an empty file
        raise InputError(f"{path} is no ONNX file, or it is damaged (it has no operators)")
    return model


def embed_spec(model: onnx.ModelProto, spec: DetectorSpec) -> None:
    """Put a spec into a model's metadata."""
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_METADATA, json.dumps(spec.to_json(), sort_keys=True)
