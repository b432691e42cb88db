"""The report's tables of files: what they are, what they cost, what they were made from."""

from __future__ import annotations

from benchmark.accuracy.drift import Drift, DriftRow
from benchmark.accuracy.tables import DASH, TextTable, percent, signed
from benchmark.report.rows import CostRow, Report
from convert.difference import SILENT_DB, TensorDifference
from convert.verdict import Grade
from model.evaluation.metrics import HEADLINE, METRICS


def files(report: Report) -> TextTable:
    """All files: size, headline metric and its drift on every set, cost."""
    title = METRICS[HEADLINE].title
    measured = [one for row in report.artefacts for one in report.costs_of(row) if one.predicted_fps is None]
    machines = list(dict.fromkeys((one.machine, one.setting) for one in measured))
    columns = ["file", "verdict", "input", "precision", "KiB"]
    for name in report.sets:
        columns += [f"{title} {name}", f"drift {name} (95 % interval)"]
    columns += [f"{machine}, {setting}" for machine, setting in machines]
    rows = []
    for artefact in report.artefacts:
        verdict = DASH if artefact.verdict is None else artefact.verdict.grade
        cells = [artefact.file, verdict, artefact.size, artefact.record.precision]
        cells.append(f"{artefact.bytes / 1024:.0f}")
        for name in report.sets:
            found = report.evaluation(artefact, name)
            cells.append(percent(found.headline if found else None))
            cells.append(_drift_cell(report.drift(artefact, name)))
        costs = {(one.machine, one.setting): one for one in report.costs_of(artefact) if one in measured}
        rows.append([*cells, *(_cost_cell(costs.get(machine)) for machine in machines)])
    return TextTable.named(columns, rows, names=4)


def concerns(report: Report) -> dict[str, tuple[Grade, str]]:
    """File -> (grade, why) of each that is not simply good: by its verdict, or by what it loses on a set."""
    found: dict[str, tuple[Grade, str]] = {}
    for artefact in report.artefacts:
        for name in report.sets:
            row = (drift := report.drift(artefact, name)) and drift.of(HEADLINE)
            if row and _loses(row):
                figure = f"{METRICS[HEADLINE].title} {_drift_cell(drift)} points on {name}"
                found[artefact.file] = "look at it", figure
        if artefact.verdict is not None and artefact.verdict.grade != "good":
            found[artefact.file] = artefact.verdict.grade, artefact.verdict.reason
    return found


def _loses(row: DriftRow) -> bool:
    """More than the metric permits, and not by chance."""
    permitted = METRICS[HEADLINE].permitted_drift or 0.0
    return row.difference is not None and row.difference < -permitted and (row.high is None or row.high < 0)


def _drift_cell(drift: Drift | None) -> str:
    row = None if drift is None else drift.of(HEADLINE)
    if row is None:
        return DASH
    interval = "" if row.low is None else f" ({signed(row.low)} .. {signed(row.high)})"
    return signed(row.difference) + interval


def _cost_cell(cost: CostRow | None) -> str:
    if cost is None:
        return DASH
    parts = [] if cost.p50_ms is None else [f"{cost.p50_ms:.2f} ms"]
    parts += [] if cost.instructions is None else [f"{cost.instructions / 1e6:.1f} M instr."]
    return (", ".join(parts) or DASH) + ("" if cost.valid else " (invalid)")


def predictions(report: Report) -> TextTable:
    """Predicted frames a second with their interval, a column for each class of phones."""
    predicted = {(one.model, one.machine): one for one in report.costs if one.predicted_fps is not None}
    phones = list(dict.fromkeys(phone for _, phone in predicted))
    rows = [
        (model, *(_predicted(predicted.get((model, phone))) for phone in phones))
        for model in dict.fromkeys(model for model, _ in predicted)
    ]
    return TextTable.named(("file", *phones), rows)


def _predicted(one: CostRow | None) -> str:
    if one is None:
        return DASH
    return f"{one.predicted_fps:.1f} ({one.predicted_low:.1f} .. {one.predicted_high:.1f})"


def parity(report: Report) -> TextTable:
    """Worst error and SQNR of each output against an earlier stage, as recorded when the file was made."""
    recorded = [(one.file, *stage) for one in report.artefacts for stage in one.record.parity.items()]
    outputs = list(dict.fromkeys(name for *_, facts in recorded for name in facts.outputs))
    rows = [
        (
            file,
            stage.replace("_", " "),
            *(_error(facts.outputs.get(name)) for name in outputs),
            f"{facts.faces_kept} of {facts.faces}",
        )
        for file, stage, facts in recorded
    ]
    columns = ("file", "against", *(f"{name}: worst / dB" for name in outputs), "faces kept")
    return TextTable.named(columns, rows, names=2)


def _error(one: TensorDifference | None) -> str:
    return DASH if one is None else f"{one.max_error:.2g} / {_decibel(one.sqnr_db)}"


def _decibel(value: float | None) -> str:
    if value is None:
        return "exact"
    return "no signal" if value == SILENT_DB else f"{value:.1f}"


def operators(report: Report) -> TextTable:
    """How often each kind of operator stands in each TFLite file."""
    counted = [(one.file, one.record.operators) for one in report.artefacts if one.record.operators]
    kinds = sorted({kind for _, count in counted for kind in count})
    rows = [
        (file, str(sum(count.values())), *(str(count.get(kind, DASH)) for kind in kinds))
        for file, count in counted
    ]
    return TextTable.named(("file", "all", *kinds), rows)


def origin(report: Report) -> TextTable:
    """What each file is and what it was made from."""
    rows = []
    for one in report.artefacts:
        sources = one.record.made_from.items()
        made = ", ".join(f"{role} {source.file} {source.sha256[:12]}" for role, source in sources)
        recipe = one.record.recipe.name if one.record.recipe else ""
        rows.append((one.file, one.sha256, recipe or DASH, made or DASH))
    return TextTable.named(("file", "sha256", "recipe", "made from"), rows, names=4)


INSIDE = {
    "Parity as recorded when the files were made": parity,
    "Operators": operators,
}
"""Title -> table of what is inside the files; an empty one is not shown. One more is a line here."""
