"""The report's tables as text, shared by the HTML page and the Markdown: one definition of every column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.accuracy.drift import faces_line
from benchmark.accuracy.drift_record import Drift
from benchmark.accuracy.evaluation import Evaluation
from benchmark.accuracy.wider_ground_truth import SUBSETS
from benchmark.report.rows import ArtefactRow, CostRow, Report

DASH = "–"


@dataclass(frozen=True)
class TextTable:
    """A table: `numeric` says which columns are figures, to be set right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]

    def markdown(self) -> str:
        """As GitHub's Markdown."""
        rule = ["---:" if one else ":---" for one in self.numeric]
        lines = [self.columns, rule, *self.rows]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )


def percent(value: float | None, digits: int = 2) -> str:
    """A share in percent."""
    return DASH if value is None else f"{100 * value:.{digits}f}"


def signed(value: float | None) -> str:
    """A difference of shares in points."""
    return DASH if value is None else f"{round(100 * value, 2) + 0.0:+.2f}"  # + 0.0: no minus before a zero


def summary(report: Report) -> TextTable:
    """All files: size, AP and drift on every set, cost."""
    columns = ["file", "input", "precision", "KiB"]
    numeric = [False, False, False, True]
    for name in report.sets:
        columns += [f"AP50 {name}", f"drift {name} (95 % interval)"]
        numeric += [True, True]
    machines = list(
        dict.fromkeys((one.machine, one.setting) for one in report.costs if one.predicted_fps is None)
    )
    columns += [f"{machine}, {setting}" for machine, setting in machines]
    numeric += [True] * len(machines)
    rows = []
    for artefact in report.artefacts:
        cells = [artefact.file, artefact.size, artefact.precision, f"{artefact.bytes / 1024:.0f}"]
        for name in report.sets:
            found = report.evaluation(artefact, name)
            cells += [percent(found.ap50 if found else None), _drift_cell(report.drift(artefact, name))]
        costs = {
            (one.machine, one.setting): one for one in report.costs_of(artefact) if one.predicted_fps is None
        }
        cells += [_cost_cell(costs.get(machine)) for machine in machines]
        rows.append(tuple(cells))
    return TextTable(tuple(columns), tuple(rows), tuple(numeric))


def _drift_cell(drift: Drift | None) -> str:
    if drift is None:
        return DASH
    row = drift.rows[0]
    if row.low is None or row.high is None:
        return signed(row.difference)
    return f"{signed(row.difference)} ({signed(row.low)} .. {signed(row.high)})"


def _cost_cell(cost: CostRow | None) -> str:
    if cost is None:
        return DASH
    parts = [] if cost.p50_ms is None else [f"{cost.p50_ms:.2f} ms"]
    parts += [] if cost.instructions is None else [f"{cost.instructions / 1e6:.1f} M instr."]
    return (", ".join(parts) or DASH) + ("" if cost.valid else " (invalid)")


def predictions(report: Report) -> TextTable | None:
    """Predicted frames a second with their interval; None where there are none."""
    found = [one for one in report.costs if one.predicted_fps is not None]
    rows = tuple(
        (
            one.model,
            one.machine,
            f"{one.predicted_fps:.1f}",
            f"{one.predicted_low:.1f} .. {one.predicted_high:.1f}",
        )
        for one in found
    )
    columns = ("file", "phone", "predicted FPS", "interval")
    return TextTable(columns, rows, (False, False, True, True)) if rows else None


def accuracy(evaluations: Sequence[Evaluation]) -> TextTable:
    """All figures of one set."""
    first = evaluations[0]
    bands = list(first.recall_by_height)
    subsets = [name for name in SUBSETS if any(one.wider for one in evaluations)]
    columns = ["file", "AP50", "AP50:95", f"precision at {first.score_threshold:g}", "recall there"]
    columns += [f"recall {band} px" for band in bands] + [f"WIDER {name}" for name in subsets]
    rows = []
    for one in evaluations:
        cells = [
            one.model,
            percent(one.ap50),
            percent(one.ap50_95),
            percent(one.precision),
            percent(one.recall),
        ]
        for band in bands:
            row = one.recall_by_height[band]
            cells.append(percent(row["found"] / row["faces"], 1) if row["faces"] else DASH)
        rows.append((*cells, *(percent((one.wider or {}).get(name)) for name in subsets)))
    return TextTable(tuple(columns), tuple(rows), (False, *[True] * (len(columns) - 1)))


def drift(one: Drift) -> TextTable:
    """All figures of one drift."""
    rows = tuple(
        (
            row.what,
            str(row.faces),
            percent(row.reference),
            percent(row.candidate),
            signed(row.difference),
            DASH if row.low is None else f"{signed(row.low)} .. {signed(row.high)}",
        )
        for row in one.rows
    )
    columns = ("figure", "faces", "reference", "candidate", "difference", "95 % interval")
    return TextTable(columns, rows, (False, True, True, True, True, True))


def drift_sentence(one: Drift) -> str:
    """What stands below a drift table."""
    truth = "" if one.truth == "labels" else (
        "There are no labels: the reference's own detections stand in, so its AP is 100 by definition. "
    )  # fmt: skip
    return f"{truth}{_sentence(faces_line(one))}. {one.resamples} resamples of the images, seed {one.seed}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def parity(artefacts: Sequence[ArtefactRow]) -> TextTable | None:
    """Worst error and SQNR against PyTorch as recorded; None where nothing was recorded."""
    rows = []
    for one in artefacts:
        for stage, facts in one.parity.items():
            outputs = facts.get("outputs") if isinstance(facts, dict) else None
            if outputs:
                cells = [
                    f"{item['max_error']:.2g} / {_decibel(item['sqnr_db'])}" for item in outputs.values()
                ]
                faces = f"{facts.get('faces_kept', DASH)} of {facts.get('faces', DASH)}"
                rows.append((one.file, stage.replace("_", " "), *cells, faces))
    columns = ("file", "against", "boxes: worst / dB", "scores", "landmarks", "faces kept")
    return TextTable(columns, tuple(rows), (False, False, True, True, True, True)) if rows else None


def _decibel(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f}"


def census(artefacts: Sequence[ArtefactRow]) -> TextTable | None:
    """Operators of every TFLite file; None where nothing was recorded."""
    files = [one for one in artefacts if one.operators]
    kinds = sorted({kind for one in files for kind in one.operators})
    rows = [
        (one.file, str(sum(one.operators.values())), *(str(one.operators.get(kind, DASH)) for kind in kinds))
        for one in files
    ]
    columns = ("file", "all", *kinds)
    return TextTable(columns, tuple(rows), (False, *[True] * (len(columns) - 1))) if rows else None


def hashes(artefacts: Sequence[ArtefactRow]) -> TextTable:
    """What each file is and what it was made from."""
    rows = []
    for one in artefacts:
        made = ", ".join(
            f"{role} {item['file']} {item['sha256'][:12]}" for role, item in one.made_from.items()
        )
        rows.append((one.file, one.sha256, one.recipe or DASH, made or DASH))
    return TextTable(("file", "sha256", "recipe", "made from"), tuple(rows), (False, False, False, False))
