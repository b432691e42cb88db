"""The report as data: typed rows that the HTML page, the Markdown, the JSON and the gate are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmark.accuracy.drift_record import Drift
from benchmark.accuracy.evaluation import Evaluation
from model.foundation.artifact import Artifact, read_json, sha256_of
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec

FORMAT, VERSION = "featherface-report", 1
INTEGER_FREE = "float32"


@dataclass(frozen=True)
class ArtefactRow:
    """One model file.

    Attributes:
        file, sha256, bytes: The file.
        network, input_height, input_width: From its spec; the size in pixels.
        precision: As recorded when it was made; "unknown" without a record.
        operators: Kind of operator -> how often it stands in the file; empty where not recorded.
        parity: What was recorded against PyTorch, as it stands in the record.
        made_from: Role -> {"file", "sha256"}.
        recipe: Name of the quantization recipe; None for a float file.
        tools: Versions that made it.
    """

    file: str
    sha256: str
    bytes: int
    network: str
    input_height: int
    input_width: int
    precision: str
    operators: dict[str, int]
    parity: dict[str, Any]
    made_from: dict[str, Any]
    recipe: str | None
    tools: dict[str, str]

    @property
    def size(self) -> str:
        """Height x width of the input."""
        return f"{self.input_height}x{self.input_width}"

    @property
    def group(self) -> tuple[str, int, int]:
        """Files of one network at one size are compared with one another."""
        return self.network, self.input_height, self.input_width


def artefact_row(path: Path, spec: DetectorSpec) -> ArtefactRow:
    """Collect what is known about a model file from the record beside it, if there is one.

    Raises:
        InputError: the record is of another file (its hash differs).
    """
    record: Mapping[str, Any] = {}
    if Artifact.record_path(path).is_file():
        record = Artifact.load(path).record
    sha256 = sha256_of(path)
    if record.get("sha256", sha256) != sha256:
        beside = Artifact.record_path(path).name
        raise InputError(f"{path} has changed since {beside} was written; make it again")
    recipe = record.get("recipe")
    operators = record.get("operators", {})
    return ArtefactRow(
        file=path.name,
        sha256=sha256,
        bytes=path.stat().st_size,
        network=spec.network,
        input_height=spec.input_height,
        input_width=spec.input_width,
        precision=str(record.get("precision", INTEGER_FREE if path.suffix == ".pth" else "unknown")),
        operators={name: count for name, count in operators.items() if path.suffix == ".tflite"},
        parity=dict(record.get("parity", {})),
        made_from=dict(record.get("made_from", {})),
        recipe=recipe.get("name") if isinstance(recipe, dict) else None,
        tools=dict(record.get("tools", {})),
    )


@dataclass(frozen=True)
class CostRow:
    """Latency or instructions of one model on one machine, from the harness's results.

    Attributes:
        model, model_sha256: The file and its hash; a prediction names the file only.
        machine: Name of the machine, or class of phones.
        setting: Threads and delegate in words.
        p50_ms: Median latency in milliseconds; None where time means nothing (emulated machines).
        instructions: Of one inference; None where not counted.
        predicted_fps, predicted_low, predicted_high: Predicted, never measured.
        valid: False where the harness found a reason to distrust the figures.
    """

    model: str
    model_sha256: str | None
    machine: str
    setting: str
    p50_ms: float | None = None
    instructions: int | None = None
    predicted_fps: float | None = None
    predicted_low: float | None = None
    predicted_high: float | None = None
    valid: bool = True


@dataclass(frozen=True)
class Layers:
    """A table by layer that another command made: sensitivities, or SQNR between two files.

    Attributes:
        title: What it is.
        columns: Names of the columns; "layer" or "name" first.
        rows: Values in the order of the columns, worst first.
    """

    title: str
    columns: list[str]
    rows: list[list[Any]]


@dataclass(frozen=True)
class Report:
    """Everything that the report shows.

    Attributes:
        artefacts, evaluations, drifts, costs, layers: The rows.
        calibration: Manifests of the images that activation ranges were measured on.
        versions: Tool -> version. machine: Facts of the computer that evaluated.
        commands: How to get these figures again.
        seed: Of every random choice.
        made_at: ISO 8601 in UTC.
    """

    artefacts: list[ArtefactRow]
    evaluations: list[Evaluation]
    drifts: list[Drift]
    costs: list[CostRow] = field(default_factory=list)
    layers: list[Layers] = field(default_factory=list)
    calibration: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    seed: int = 0
    made_at: str = ""

    @property
    def sets(self) -> list[str]:
        """Names of the evaluated sets, in order."""
        return list(dict.fromkeys(one.set for one in self.evaluations))

    def evaluation(self, artefact: ArtefactRow, set_name: str) -> Evaluation | None:
        """The evaluation of a file on a set."""
        wanted = (artefact.sha256, set_name)
        return next((one for one in self.evaluations if (one.model_sha256, one.set) == wanted), None)

    def drift(self, artefact: ArtefactRow, set_name: str) -> Drift | None:
        """The drift of a file on a set; None for the reference itself."""
        wanted = (artefact.sha256, set_name)
        return next((one for one in self.drifts if (one.candidate_sha256, one.set) == wanted), None)

    def costs_of(self, artefact: ArtefactRow) -> list[CostRow]:
        """Latencies and instruction counts of a file."""
        return [
            one
            for one in self.costs
            if artefact.sha256 == one.model_sha256
            or (one.model_sha256 is None and one.model == artefact.file)
        ]

    def to_json(self) -> dict[str, Any]:
        """JSON values; `from_json` reads them back."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str = "report") -> Report:
        """The inverse of `to_json`.

        Raises:
            InputError: not a report, or one of another version.
        """
        if value.get("format") != FORMAT or value.get("version") != VERSION:
            found = f"{value.get('format')} {value.get('version')}"
            raise InputError(f"{where}: expected a {FORMAT} of version {VERSION}, found {found}")
        try:
            known = {one.name: value[one.name] for one in fields(cls)}
            known["artefacts"] = [ArtefactRow(**row) for row in value["artefacts"]]
            known["evaluations"] = [Evaluation.from_json(row) for row in value["evaluations"]]
            known["drifts"] = [Drift.from_json(row) for row in value["drifts"]]
            known["costs"] = [CostRow(**row) for row in value["costs"]]
            known["layers"] = [Layers(**row) for row in value["layers"]]
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise InputError(f"{where}: a field is missing or unknown ({error})") from None


def read_costs(paths: Sequence[Path]) -> list[CostRow]:
    """Rows from result files of the benchmark harness and from its predictions.

    Raises:
        InputError: a file holds neither measurements nor predictions.
    """
    rows = []
    for path in paths:
        value = read_json(path)
        if "measurements" not in value and "predictions" not in value:
            raise InputError(f"{path}: expected the harness's measurements or predictions, found neither")
        try:
            rows += [_measured(one) for one in value.get("measurements", ())]
            rows += [_predicted(one) for one in value.get("predictions", ())]
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: not the harness's result format ({error})") from None
    return rows


def _measured(one: Mapping[str, Any]) -> CostRow:
    timing, counted, settings = one.get("timing") or {}, one.get("instructions") or {}, one["settings"]
    setting = f"{settings.get('threads', 1)} thread(s), {settings.get('delegate', 'cpu')}"
    median = timing.get("p50") or timing.get("mean")
    emulated = str(one["machine"].get("kind", "")).startswith("emulated")
    return CostRow(
        one["model"]["file"],
        one["model"]["sha256"],
        one["machine"]["name"],
        setting,
        None if emulated else median,
        counted.get("count"),
        valid=bool(one.get("valid", True)),
    )


def _predicted(one: Mapping[str, Any]) -> CostRow:
    low, high = one["fps_interval"]
    return CostRow(
        model=one["model"],
        model_sha256=None,
        machine=str(one["phone"]),
        setting="predicted from counted instructions",
        predicted_fps=one["fps"],
        predicted_low=low,
        predicted_high=high,
    )


def read_layers(path: Path) -> Layers:
    """A table by layer: JSON with "layers", a list of objects with equal keys, and a "title" or "kind".

    Raises:
        InputError: the file holds no such table.
    """
    value = read_json(path)
    rows = value.get("layers")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: expected a list of objects under the key 'layers'")
    columns = [name for name, cell in rows[0].items() if not isinstance(cell, (dict, list))]
    title = str(value.get("title") or value.get("kind") or path.stem)
    return Layers(title, columns, [[row.get(name) for name in columns] for row in rows])
