"""Read, edit and write TFLite flatbuffers: names, signature and the spec inside the file.

The schema is the one that the LiteRT runtime package carries.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from model.foundation.artifact import replacing
from model.foundation.damage import damage_is_said
from model.foundation.errors import InputError
from model.geometry.outputs import physical_names
from model.geometry.spec import SPEC_METADATA, DetectorSpec
from model.runtime.promises import check_promises

SIGNATURE = "detect"
INPUT_NAME = "image"


def read_model(path: Path) -> Any:
    """Parse a TFLite file into the schema's ModelT.

    Raises:
        InputError: as `read_content`.
    """
    return parse_model(read_content(path))


def read_content(path: Path) -> bytes:
    """The bytes of a TFLite file that is whole and keeps its promises: THE way in of every file.

    The runtime verifies that it is a flatbuffer (parsing a damaged one is no way to find out: LiteRT's C API
    crashes on most of them), `model.runtime.promises` the numbers in it.

    Raises:
        InputError: there is no such file, it is not TFLite, or it is damaged.
    """
    if not path.is_file():
        raise InputError(f"no such TFLite file: {path}")
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise InputError(f"{path} is not a TFLite file (its identifier is not TFL3)")
    try:
        Interpreter(model_content=content)
    except ValueError as error:
        # Anything else (an operator that this runtime lacks) does not make it another kind of file.
        if "flatbuffer" in str(error).lower():
            raise InputError(f"{path} is damaged or truncated ({str(error).strip()})") from None
    with damage_is_said(f"{path} is damaged"):
        model = parse_model(content)
    check_promises(model, str(path))
    return content


def parse_model(content: bytes) -> Any:
    """Parse a TFLite file's bytes; buffers that stand behind the flatbuffer are taken into it."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers or ():
        if buffer is not None and buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def write_model(model: Any, path: Path) -> None:
    """Write a ModelT, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(pack_model(model))


def pack_model(model: Any) -> bytes:
    """A ModelT as the bytes of a file."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def text(value: Any) -> str:
    """A name of the schema, which is bytes when it was read and str when it was set."""
    return value.decode() if isinstance(value, bytes) else str(value)


def name_interface(model: Any, spec: DetectorSpec) -> None:
    """Give input, outputs and the only signature the project's names, and put the spec into the file.

    The outputs of the first subgraph are put in the order of the signature the converter made, which is
    the order in which the network returns them.
    """
    graph = model.subgraphs[0]
    signature = model.signatureDefs[0]
    names = physical_names(spec)
    if len(signature.inputs) != 1 or len(signature.outputs) != len(names):
        raise ValueError(
            f"expected 1 input and {len(names)} outputs, "
            f"found {len(signature.inputs)} and {len(signature.outputs)}"
        )
    signature.signatureKey = SIGNATURE
    # "output_10" comes behind "output_9".
    outputs = sorted(signature.outputs, key=lambda entry: (len(text(entry.name)), text(entry.name)))
    for entry, name in zip([*signature.inputs, *outputs], (INPUT_NAME, *names), strict=True):
        entry.name = name
        graph.tensors[entry.tensorIndex].name = name
    signature.outputs = outputs
    graph.outputs = [entry.tensorIndex for entry in outputs]
    graph.name = SIGNATURE
    put_spec(model, spec)


def put_spec(model: Any, spec: DetectorSpec) -> None:
    """Store a spec in the file, replacing an earlier one."""
    put_metadata(model, SPEC_METADATA, json.dumps(spec.to_json(), sort_keys=True))


def put_metadata(model: Any, name: str, value: str) -> None:
    """Store a text in the file under `name`, replacing an earlier one."""
    model.metadata = model.metadata or []
    entry = next((one for one in model.metadata if text(one.name) == name), None)
    if entry is None:
        entry = schema.MetadataT()
        model.buffers.append(schema.BufferT())
        entry.name, entry.buffer = name, len(model.buffers) - 1
        model.metadata.append(entry)
    model.buffers[entry.buffer].data = list(value.encode())


def metadata(model: Any, name: str) -> str | None:
    """The text stored under `name`, or None."""
    for entry in model.metadata or []:
        if text(entry.name) == name:
            data = model.buffers[entry.buffer].data
            return bytes(() if data is None else data).decode(errors="replace")
    return None


def metadata_inside(content: bytes, name: str) -> str | None:
    """The text that a TFLite file's bytes hold under `name`, or None; the file is not unpacked for it."""
    model = schema.Model.GetRootAs(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == name.encode():
            buffer = model.Buffers(entry.Buffer())
            held: bytes = buffer.DataAsNumpy().tobytes() if buffer.DataLength() else b""
            return held.decode(errors="replace").rstrip("\0")
    return None


def spec_inside(path: Path) -> DetectorSpec | None:
    """The spec that a TFLite file carries, or None when it carries none."""
    value = metadata_inside(read_content(path), SPEC_METADATA)
    return None if value is None else DetectorSpec.from_text(value)
