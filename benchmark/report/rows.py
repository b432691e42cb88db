"""The report as data: typed rows that the HTML page, the Markdown, the JSON and the gate are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmark.accuracy.drift import Drift
from benchmark.accuracy.evaluation import Evaluation
from benchmark.devices.results import Measurement
from benchmark.prediction.cycles import Prediction
from convert.difference import Difference
from convert.verdict import Verdict, verdict_of
from model.foundation.artifact import Artifact, read_json, sha256_of
from model.foundation.errors import InputError
from model.foundation.records import from_json, read_record
from model.geometry.spec import DetectorSpec


@dataclass(frozen=True)
class Source:
    """A file that another was made from."""

    file: str
    sha256: str


@dataclass(frozen=True)
class RecipeName:
    """The recipe of a quantized file, as its record names it."""

    name: str = ""


@dataclass(frozen=True)
class FileRecord:
    """What stands beside a model file and is shown here.

    Attributes:
        sha256: Of the file when the record was written.
        precision: "unknown" where it was not recorded.
        operators: Kind of operator -> how often it stands in a TFLite file.
        parity: Stage that the file was held against -> how they differ.
        made_from: Role -> file.
        recipe: None for a float file.
        tools: Versions that made it.
    """

    sha256: str = ""
    precision: str = "unknown"
    operators: dict[str, int] = field(default_factory=dict)
    parity: dict[str, Difference] = field(default_factory=dict)
    made_from: dict[str, Source] = field(default_factory=dict)
    recipe: RecipeName | None = None
    tools: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ArtefactRow:
    """One model file.

    Attributes:
        file, sha256, bytes: The file.
        network, input_height, input_width: From its spec; the size in pixels.
        record: What its own record says.
    """

    file: str
    sha256: str
    bytes: int
    network: str
    input_height: int
    input_width: int
    record: FileRecord = FileRecord()

    @property
    def verdict(self) -> Verdict | None:
        """Whether it can be used; None where its parity was not recorded."""
        return verdict_of(self.record.parity)

    @property
    def size(self) -> str:
        """Height x width of the input."""
        return f"{self.input_height}x{self.input_width}"

    @property
    def group(self) -> tuple[str, int, int]:
        """Files of one network at one size are compared with one another."""
        return self.network, self.input_height, self.input_width

    @property
    def checkpoint(self) -> str:
        """Hash of the weights that it is or was made from; empty where nobody says."""
        made_from = self.record.made_from.get("checkpoint")
        return made_from.sha256 if made_from else self.sha256 * self.file.endswith(".pth")


def artefact_row(path: Path, spec: DetectorSpec) -> ArtefactRow:
    """Collect what is known about a model file from the record beside it, if there is one.

    Raises:
        InputError: the record is of another file (its hash differs).
    """
    sha256, beside = sha256_of(path), Artifact.record_path(path)
    record = FileRecord(sha256, "float32" if path.suffix == ".pth" else "unknown")
    if beside.is_file():
        record = from_json(FileRecord, Artifact.load(path).record, str(beside))
    if record.sha256 != sha256:
        raise InputError(f"{path} has changed since {beside.name} was written; make it again")
    if path.suffix != ".tflite":
        record = replace(record, operators={})
    return ArtefactRow(
        path.name, sha256, path.stat().st_size, spec.network, spec.input_height, spec.input_width, record
    )


@dataclass(frozen=True)
class CostRow:
    """Latency or instructions of one model on one machine, from the harness's results.

    Attributes:
        model, model_sha256: The file and its hash; a prediction names the file only.
        machine: Name of the machine, or class of phones.
        setting: Threads, delegate and runtime in words.
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
class CalibrationFile:
    """A manifest of images, or measured ranges, that quantization rests on.

    Attributes:
        file, sha256: Which.
        images: How many.
        size: "HEIGHTxWIDTH" that ranges were measured at; empty for a manifest.
    """

    file: str
    sha256: str
    images: int
    size: str = ""


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
    calibration: list[CalibrationFile] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    seed: int = 0
    made_at: str = ""
    format: Literal["featherface-report"] = "featherface-report"
    version: Literal[2] = 2

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


@dataclass(frozen=True)
class Timings:
    """Median milliseconds of one inference on this computer, as `summary` takes them.

    Attributes:
        latency_ms: SHA-256 of a file -> milliseconds.
        runs, threads: How they were taken.
    """

    latency_ms: dict[str, float] = field(default_factory=dict)
    runs: int = 20
    threads: int = 1


@dataclass(frozen=True)
class _Costs(Timings):
    measurements: tuple[Measurement, ...] = ()
    predictions: tuple[Prediction, ...] = ()


def read_costs(paths: Sequence[Path]) -> list[CostRow]:
    """Rows from result files of `latency`, of `predict` and of `summary`.

    Raises:
        InputError: a file holds no such results.
    """
    rows: list[CostRow] = []
    for path in paths:
        value = read_json(path)
        if not value.keys() & {"measurements", "predictions", "latency_ms"}:
            raise InputError(f"{path}: expected measurements, predictions or timings, found none")
        costs = from_json(_Costs, value, str(path))
        rows += [_measured(one) for one in costs.measurements]
        rows += [_predicted(one) for one in costs.predictions]
        here = "this computer", f"{costs.threads} thread(s), median of {costs.runs}"
        rows += [CostRow("", sha256, *here, ms) for sha256, ms in costs.latency_ms.items()]
    return rows


def _measured(one: Measurement) -> CostRow:
    timing = None if one.machine.kind.startswith("emulated") else one.timing
    return CostRow(
        one.model.file,
        one.model.sha256,
        one.machine.name,
        ", ".join(
            filter(None, (f"{one.settings.threads} thread(s)", one.settings.delegate, one.runner.runtime))
        ),
        None if timing is None else timing.p50 or timing.mean,
        None if one.instructions is None else one.instructions.count,
        valid=one.valid,
    )


def _predicted(one: Prediction) -> CostRow:
    low, high = one.fps_interval
    setting = f"predicted from counted instructions{f' of {one.runtime}' if one.runtime else ''}"
    return CostRow(one.model, None, one.phone, setting, None, None, one.fps, low, high)


@dataclass(frozen=True)
class _ImageCount:
    count: int


@dataclass(frozen=True)
class _MeasuredSize:
    images: _ImageCount


@dataclass(frozen=True)
class _Calibration:
    images: list[Any] = field(default_factory=list)
    sizes: dict[str, _MeasuredSize] = field(default_factory=dict)


def read_calibration(path: Path) -> list[CalibrationFile]:
    """Facts of a manifest of images, or of ranges that count theirs for each input size.

    Raises:
        InputError: the file is neither.
    """
    found, digest = read_record(path, _Calibration), sha256_of(path)
    if found.images:
        return [CalibrationFile(path.name, digest, len(found.images))]
    if not found.sizes:
        raise InputError(f"{path}: expected a manifest of images or measured ranges")
    return [CalibrationFile(path.name, digest, one.images.count, size) for size, one in found.sizes.items()]


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
