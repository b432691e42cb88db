"""`audit`: what is really in a TFLite file, and a gate on it."""

from __future__ import annotations

import argparse
import json
import struct
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.foundation.artifact import Artifact, read_json, sha256_of, tool_versions, write_json
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec

FORMAT, VERSION = "featherface-audit", 1


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "audit",
        help="say what is really in a TFLite file; --require makes it a gate",
        description=__doc__,
        epilog="figures for --require: " + ", ".join(FIGURES),
    )
    command.add_argument("model", type=Path, metavar="MODEL.tflite", help="file, whoever made it")
    command.add_argument(
        "--require", metavar="LINE", help='e.g. "int8_macs>=0.9,outputs>=3,islands<=2"; exit code 1 if missed'
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write all that was found as JSON")
    command.set_defaults(run=run)


@dataclass(frozen=True)
class Output:
    """One output.

    Attributes:
        name, type, shape: As in the file.
        scale, zero_point: None for a float.
        own_scale: False where another output is cut from the same integer tensor.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None
    own_scale: bool


@dataclass(frozen=True)
class Identity:
    """Who made the file and whether that can be checked.

    Attributes:
        signatures: Keys of its signatures.
        spec: Whether a valid detector spec is inside.
        record: Whether the JSON record beside it is "verified" (its hash is the file's), "absent",
            "unreadable", or "of another file".
        made_from: Role -> "verified", "differs" or "not here", by the recorded hash of the file of that
            name in the same folder.
    """

    signatures: tuple[str, ...]
    spec: bool
    record: str
    made_from: dict[str, str]


@dataclass(frozen=True)
class Audit:
    """All that was found; `figures` is what --require compares."""

    file: str
    bytes: int
    sha256: str
    figures: dict[str, float]
    operators: list[dict[str, Any]]
    constants: dict[str, int]
    islands: list[dict[str, Any]]
    outputs: tuple[Output, ...]
    identity: Identity
    not_builtin: tuple[str, ...]
    runtime_problem: str | None
    tools: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {"format": FORMAT, "version": VERSION, **json.loads(json.dumps(asdict(self)))}


FIGURES = {
    "bytes": "size of the file",
    "int8_macs": "share of multiply-accumulates on integers",
    "float16_macs": "share on weights stored as float16",
    "float32_macs": "share on float32 weights",
    "int8_weights_macs": "share of float arithmetic on integer weights",
    "int8_operators": "share of the operators that compute on integers",
    "float_operators": "share that compute on floats",
    "int8_bytes": "share of the stored constants that are int8",
    "float16_bytes": "share that are float16",
    "float32_bytes": "share that are float32",
    "islands": "stretches of float between integer operators",
    "tails": "stretches of float at an output",
    "heads": "stretches of float at the input",
    "conversions": "QUANTIZE and DEQUANTIZE of activations to and from float",
    "outputs": "outputs with a scale of their own (or float)",
    "xnnpack_operators": "share of the operators that XNNPACK takes",
    "xnnpack_macs": "share of the multiply-accumulates that XNNPACK takes",
    "xnnpack_parts": "parts that XNNPACK runs; more than one means switching to and fro",
    "builtin": "1 if a plain runtime has every operator",
    "signature": "1 if there is a signature",
    "metadata": "1 if a valid detector spec is inside",
    "hashes": "1 if the record beside the file is there and every hash that can be checked is right",
}
"""What --require can compare -> what it is."""


def run(options: argparse.Namespace) -> int:
    """Audit, print, write, and hold against --require."""
    from quantize.inspect.audit_page import print_audit
    from quantize.inspect.requirements import parse_requirements, require

    requirements = (
        None if options.require is None else parse_requirements(options.require, dict.fromkeys(FIGURES, 0.0))
    )
    found = audit(options.model)
    print_audit(found)
    if options.json is not None:
        write_json(options.json, found.to_json())
    if requirements is not None:
        require(requirements, found.figures, options.model.name)
    return 0


def audit(path: Path) -> Audit:
    """Look at everything in a TFLite file.

    Raises:
        InputError: no such file, or not a whole TFLite file.
    """
    from convert.tflite.graph import Graph
    from model.runtime.flatbuffer import parse_model, text
    from quantize.inspect.delegation import ask_runtime
    from quantize.inspect.islands import find_islands, separately_scaled

    delegation = ask_runtime(path)
    try:
        model = parse_model(path.read_bytes())
        graph = Graph.of(model)
    except (struct.error, ValueError, IndexError, TypeError, KeyError) as error:
        raise InputError(f"{path} cannot be read as TFLite ({type(error).__name__}: {error})") from None
    islands = find_islands(graph)
    roots = separately_scaled(graph)
    shared = Counter(roots.values())
    outputs = tuple(_output(graph, one, shared[roots[one]] == 1) for one in graph.outputs)
    not_builtin = tuple(sorted({one.kind for one in graph.operators if one.kind.startswith("CUSTOM")}))
    identity = Identity(
        tuple(text(one.signatureKey) for one in model.signatureDefs or []),
        _has_spec(model),
        *_origin(path),
    )
    found = Audit(
        file=path.name,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        figures={},
        operators=[
            {
                "index": one.index,
                "kind": one.kind,
                "layer": one.layer,
                "arithmetic": one.arithmetic,
                "macs": one.macs,
                "xnnpack": one.index in delegation.taken,
            }
            for one in graph.operators
        ],
        constants=dict(graph.constant_bytes),
        islands=[asdict(one) for one in islands],
        outputs=outputs,
        identity=identity,
        not_builtin=not_builtin,
        runtime_problem=delegation.problem,
        tools=tool_versions("ai-edge-litert"),
    )
    found.figures.update(_figures(found, len(set(roots.values())), len(delegation.partitions)))
    return found


def _output(graph: Any, tensor: int, own: bool) -> Output:
    stored = graph.tensors[tensor]
    scale, zero = stored.scale or (None, None)
    return Output(stored.name, stored.type, stored.shape, scale, zero, own)


def _has_spec(model: Any) -> bool:
    from model.runtime.flatbuffer import SPEC_METADATA, metadata

    try:
        value = metadata(model, SPEC_METADATA)
        return value is not None and bool(DetectorSpec.from_json(json.loads(value)))
    except (InputError, ValueError, TypeError, AttributeError):
        return False


def _origin(path: Path) -> tuple[str, dict[str, str]]:
    """What the record beside a file says of it and of what it was made from."""
    beside = Artifact.record_path(path)
    if not beside.is_file():
        return "absent", {}
    try:
        record = read_json(beside)
        sources = {role: (str(one["file"]), str(one["sha256"])) for role, one in record["made_from"].items()}
        if record["sha256"] != sha256_of(path):
            return "of another file", {}
    except (InputError, KeyError, TypeError, AttributeError):
        return "unreadable", {}
    states = {}
    for role, (name, digest) in sources.items():
        source = path.with_name(Path(name).name)
        states[role] = (
            "not here" if not source.is_file() else "verified" if sha256_of(source) == digest else "differs"
        )
    return "verified", states


def _figures(found: Audit, outputs: int, parts: int) -> dict[str, float]:
    macs, counts, taken = Counter[str](), Counter[str](), Counter[str]()
    for one in found.operators:
        macs[one["arithmetic"]] += one["macs"]
        if one["arithmetic"] != "unpacking":  # done once, by whichever runtime
            counts[one["arithmetic"]] += 1
            taken["operators"] += one["xnnpack"]
            taken["macs"] += one["macs"] * one["xnnpack"]
    places = Counter(one["place"] for one in found.islands)
    integers, floats = ("int8", "int16"), ("float16", "float32", "int8_weights")
    origin = found.identity
    return {
        "bytes": found.bytes,
        **{f"{kind}_macs": _share(macs[kind], macs) for kind in ("int8", *floats)},
        "int8_operators": _share(sum(counts[kind] for kind in integers), counts),
        "float_operators": _share(sum(counts[kind] for kind in floats), counts),
        **{
            f"{kind}_bytes": _share(found.constants.get(kind, 0), found.constants)
            for kind in ("int8", "float16", "float32")
        },
        "islands": places["between"],
        "tails": places["tail"],
        "heads": places["head"],
        "conversions": counts["conversion"],
        "outputs": outputs,
        "xnnpack_operators": _share(taken["operators"], counts),
        "xnnpack_macs": _share(taken["macs"], macs),
        "xnnpack_parts": parts,
        "builtin": not found.not_builtin,
        "signature": bool(origin.signatures),
        "metadata": origin.spec,
        "hashes": origin.record == "verified" and "differs" not in origin.made_from.values(),
    }


def _share(part: int, whole: dict[str, int]) -> float:
    return part / sum(whole.values()) if sum(whole.values()) else 0.0
