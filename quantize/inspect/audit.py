"""What is really in a TFLite file, whoever made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.tflite.graph import ON_FLOATS, ON_INTEGERS, Graph, read_graph
from model.foundation.artifact import Artifact, sha256_of, tool_versions
from model.foundation.errors import InputError
from model.foundation.origin import OtherBytesError, origin_of
from model.geometry.spec import SPEC_METADATA, DetectorSpec
from model.runtime.flatbuffer import metadata, read_model, text
from quantize.inspect.delegation import ask_runtime
from quantize.inspect.islands import Island, find_islands, separately_scaled
from quantize.precision import PRECISIONS


@dataclass(frozen=True)
class AuditedOperator:
    """One operator.

    Attributes:
        index, kind, layer, arithmetic, macs: See `convert.tflite.graph.Operator`.
        xnnpack: Whether XNNPACK runs it.
    """

    index: int
    kind: str
    layer: str
    arithmetic: str
    macs: int
    xnnpack: bool

    @property
    def at_each_inference(self) -> bool:
        """Not so for what is unpacked once, by whichever runtime."""
        return self.arithmetic != "unpacking"


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
            name in the same folder, or where it stood when the file was made.
    """

    signatures: tuple[str, ...]
    spec: bool
    record: str
    made_from: dict[str, str]


@dataclass(frozen=True)
class Audit:
    """All that was found.

    Attributes:
        file, bytes, sha256: Of the file.
        figures: Name (see `figures.FIGURES`) -> what --require compares.
        operators: In execution order.
        constants: Type -> bytes of the stored tensors.
        islands: Stretches of float, as they follow in the file.
        outputs, identity: See there.
        not_builtin: Kinds of operators that a plain runtime lacks.
        runtime_problem: Why this machine's runtime cannot prepare the file; None when it can.
        tools: Versions of what was asked.
    """

    file: str
    bytes: int
    sha256: str
    figures: dict[str, float]
    operators: tuple[AuditedOperator, ...]
    constants: dict[str, int]
    islands: tuple[Island, ...]
    outputs: tuple[Output, ...]
    identity: Identity
    not_builtin: tuple[str, ...]
    runtime_problem: str | None
    tools: dict[str, str]
    format: str = "featherface-audit"
    version: int = 1


def audit(path: Path) -> Audit:
    """Look at everything in a TFLite file.

    Raises:
        InputError: no such file, or not a whole TFLite file.
    """
    delegation = ask_runtime(path)
    model, graph = read_model(path), read_graph(path)
    roots = separately_scaled(graph)
    shared = Counter(roots.values())
    operators = tuple(
        AuditedOperator(o.index, o.kind, o.layer, o.arithmetic, o.macs, o.index in delegation.taken)
        for o in graph.operators
    )
    signatures = tuple(text(one.signatureKey) for one in model.signatureDefs or [])
    identity = Identity(signatures, _has_spec(model), *_origin(path))
    islands = tuple(find_islands(graph))
    not_builtin = tuple(sorted({one.kind for one in operators if one.kind.startswith("CUSTOM")}))
    figures = {
        "bytes": path.stat().st_size,
        **_shares(operators, graph.constant_bytes),
        **_places(islands),
        "outputs": len(shared),
        "xnnpack_parts": len(delegation.partitions),
        "builtin": not not_builtin,
        "signature": bool(signatures),
        "metadata": identity.spec,
        "hashes": identity.record == "verified" and "differs" not in identity.made_from.values(),
    }
    return Audit(
        file=path.name,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        figures={name: float(value) for name, value in figures.items()},
        operators=operators,
        constants=dict(graph.constant_bytes),
        islands=islands,
        outputs=tuple(_output(graph, one, shared[roots[one]] == 1) for one in graph.outputs),
        identity=identity,
        not_builtin=not_builtin,
        runtime_problem=delegation.problem,
        tools=tool_versions("ai-edge-litert"),
    )


def _output(graph: Graph, tensor: int, own: bool) -> Output:
    stored = graph.tensors[tensor]
    scale, zero = stored.scale or (None, None)
    return Output(stored.name, stored.type, stored.shape, scale, zero, own)


def _has_spec(model: Any) -> bool:
    try:
        value = metadata(model, SPEC_METADATA)
        return value is not None and bool(DetectorSpec.from_text(value))
    except InputError:
        return False


def _origin(path: Path) -> tuple[str, dict[str, str]]:
    """What the record beside a file says of it and of what it was made from."""
    if not Artifact.record_path(path).is_file():
        return "absent", {}
    try:
        origin = origin_of(path)
    except OtherBytesError:
        return "of another file", {}
    except InputError:
        return "unreadable", {}
    return "verified", {one.role: one.state for one in origin.sources}


def _shares(operators: tuple[AuditedOperator, ...], constants: Mapping[str, int]) -> dict[str, float]:
    macs, counts, taken = Counter[str](), Counter[str](), Counter[str]()
    for one in operators:
        macs[one.arithmetic] += one.macs
        if one.at_each_inference:
            counts[one.arithmetic] += 1
            taken["operators"] += one.xnnpack
            taken["macs"] += one.macs * one.xnnpack
    return {
        **{
            f"{kind}_macs": _share(macs[kind], macs)
            for kind in dict.fromkeys(row.arithmetic for row in PRECISIONS.values())
        },
        "int8_operators": _share(sum(counts[kind] for kind in ON_INTEGERS), counts),
        "float_operators": _share(sum(counts[kind] for kind in ON_FLOATS), counts),
        **{
            f"{kind}_bytes": _share(constants.get(kind, 0), constants)
            for kind in dict.fromkeys(row.stored for row in PRECISIONS.values())
        },
        "conversions": counts["conversion"],
        "xnnpack_operators": _share(taken["operators"], counts),
        "xnnpack_macs": _share(taken["macs"], macs),
    }


def _places(islands: tuple[Island, ...]) -> dict[str, float]:
    places = Counter(one.place for one in islands)
    return {"islands": places["between"], "tails": places["tail"], "heads": places["head"]}


def _share(part: int, whole: Mapping[str, int]) -> float:
    return part / sum(whole.values()) if sum(whole.values()) else 0.0
