"""Evaluations and drifts as tables of text: one definition of every column, wherever it is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rich.table import Table

from benchmark.accuracy.drift import Drift
from benchmark.accuracy.evaluation import Evaluation, HeightRecall
from benchmark.accuracy.wider.ground_truth import SUBSETS
from model.evaluation.metrics import METRICS
from model.foundation.command_line.terminal import narrow_table, shared_beginning, without_beginning
from model.foundation.errors import one_line

DASH = "–"
NAME_WIDTH = 20
"""Names of so many letters stand in one line, whatever else a terminal holds; longer ones are folded."""


@dataclass(frozen=True)
class TextTable:
    """A table: `numeric` says which columns are figures, to be set right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]

    @classmethod
    def named(cls, columns: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> TextTable:
        """A table whose first `names` columns are names and whose others are figures."""
        numeric = tuple(index >= names for index in range(len(columns)))
        return cls(tuple(columns), tuple(tuple(row) for row in rows), numeric)

    def markdown(self) -> str:
        """As GitHub's Markdown."""
        rule = ["---:" if one else ":---" for one in self.numeric]
        head, *rows = ([in_markdown(cell) for cell in line] for line in (self.columns, *self.rows))
        return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))

    def rich(self) -> Table:
        """For a terminal: what all rows begin with stands above them."""
        names = [row[0] for row in self.rows] or [""]
        shared = shared_beginning(names)
        table = narrow_table(title=shared)
        for column, numeric in zip(self.columns, self.numeric, strict=True):
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        table.columns[0].no_wrap = max(map(len, names)) - len(shared) <= NAME_WIDTH
        for name, *figures in self.rows:
            table.add_row(without_beginning(name, shared), *figures)
        return table


def in_markdown(text: str) -> str:
    """A text that is no markup, in one line of Markdown."""
    return re.sub(r"([\\`*|\[\]])", r"\\\1", escape(one_line(text), quote=False))


def percent(value: float | None, digits: int = 2) -> str:
    """A share in percent."""
    return DASH if value is None else f"{100 * value:.{digits}f}"


def signed(value: float | None) -> str:
    """A difference of shares in points: candidate - reference, so that less than zero is worse."""
    return DASH if value is None else f"{round(100 * value, 2) + 0.0:+.2f}"  # + 0.0: no minus before a zero


def set_line(evaluations: Sequence[Evaluation]) -> str:
    """What the evaluations of one set were measured on, and how the images were fed."""
    first = evaluations[0]
    ignored = f" and {first.ignored} ignored" if first.ignored else ""
    protocols = "; ".join(dict.fromkeys(one.protocol for one in evaluations))
    # Of a quantized file it may be another: apply moves it.
    thresholds = " or ".join(dict.fromkeys(f"{one.score_threshold:g}" for one in evaluations))
    return (
        f"{first.images} images, {first.faces} faces{ignored}; protocol: {protocols}; "
        f"precision and recall at score {thresholds}; face heights in pixels of the input"
    )


def accuracy(evaluations: Sequence[Evaluation]) -> TextTable:
    """All figures of one set, a row a file."""
    bands = list(evaluations[0].recall_by_height)
    subsets = [name for name in SUBSETS if any(one.wider for one in evaluations)]
    columns = ["file", *(metric.title for metric in METRICS.values())]
    columns += [f"recall {band} px" for band in bands] + [f"WIDER {name}" for name in subsets]
    rows = []
    for one in evaluations:
        cells = [one.model, *(percent(one.metrics.get(name)) for name in METRICS)]
        cells += [_found(one.recall_by_height[band]) for band in bands]
        rows.append([*cells, *(percent((one.wider or {}).get(name)) for name in subsets)])
    return TextTable.named(columns, rows)


def classes(evaluations: Sequence[Evaluation]) -> TextTable | None:
    """The figures of each class, a row a file and class; None where no file knows several."""
    rows = [
        [one.model, name, str(each.faces), *(percent(each.metrics.get(metric)) for metric in METRICS)]
        for one in evaluations
        for name, each in one.classes.items()
    ]
    columns = ("file", "class", "labels", *(metric.title for metric in METRICS.values()))
    return TextTable.named(columns, rows, names=2) if rows else None


def _found(band: HeightRecall) -> str:
    share = percent(band.found / band.faces, 1) if band.faces else DASH
    return f"{share} ({band.found}/{band.faces})" if band.faces else DASH


def drift(one: Drift) -> TextTable:
    """All figures of one drift."""
    rows = [
        (
            row.what,
            str(row.faces),
            percent(row.reference),
            percent(row.candidate),
            signed(row.difference),
            DASH if row.low is None else f"{signed(row.low)} .. {signed(row.high)}",
        )
        for row in one.rows
    ]
    return TextTable.named(("figure", "faces", "reference", "candidate", "difference", "95 % interval"), rows)


def drift_sentence(one: Drift) -> str:
    """What stands below a drift table: whose faces count, what became of them, and the bootstrap."""
    truth = "" if one.truth == "labels" else (
        "There are no labels: the reference's own detections stand in, so its AP is 100 by definition. "
    )  # fmt: skip
    lost, gained = (
        "" if true is None else f" ({true} of them labelled)" for true in (one.lost_true, one.gained_true)
    )
    return (
        f"{truth}Above score {one.threshold:g}: {one.shown} faces of the reference, {one.lost} lost{lost}, "
        f"{one.gained} gained{gained}, {one.moved} moved (IoU below 0.9). "
        f"{one.resamples} resamples of the images, seed {one.seed}."
    )
