"""The report as one HTML page that needs no network, and as Markdown, from the same tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.accuracy.tables import accuracy, drift, drift_sentence, in_markdown, set_line
from benchmark.report import plots, tables
from benchmark.report.rows import Report
from model.foundation.command_line.pictures import html_page
from model.foundation.errors import one_line

TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"


@dataclass(frozen=True)
class Picture:
    """Reference and candidate side by side on one image.

    Attributes:
        url: data: address of the picture.
        caption: What is seen.
        candidate_sha256, set: The drift that it belongs to.
    """

    url: str
    caption: str
    candidate_sha256: str
    set: str


def page(report: Report, pictures: Sequence[Picture]) -> str:
    """The whole page as HTML."""
    sets = []
    for name in report.sets:
        evaluations = [one for one in report.evaluations if one.set == name]
        drifts = []
        for one in (one for one in report.drifts if one.set == name):
            key = (one.candidate_sha256, name)
            shown = [item for item in pictures if (item.candidate_sha256, item.set) == key]
            drifts.append((one, drift(one), drift_sentence(one), shown))
        sets.append(
            {
                "name": name,
                "line": set_line(evaluations),
                "accuracy": accuracy(evaluations),
                "plots": plots.set_plots(report, name),
                "drifts": drifts,
            }
        )
    return html_page(
        TEMPLATE,
        report=report,
        files=tables.files(report),
        marks={row.file: plots.marks(report)[row.sha256] for row in report.artefacts},
        concerns=tables.concerns(report),
        predictions=tables.predictions(report),
        sets=sets,
        layers=[(one, plots.layer_bars(one)) for one in report.layers],
        inside={title: table(report) for title, table in tables.INSIDE.items()},
        origin=tables.origin(report),
    )


def markdown(report: Report) -> str:
    """The tables as Markdown, for a README or a comment of a CI."""
    parts = ["# Report", f"Made {report.made_at}, seed {report.seed}."]
    concerns = [
        f"- {in_markdown(f'{grade}: {file}: {why}')}"
        for file, (grade, why) in tables.concerns(report).items()
    ]
    parts += ["\n".join(concerns)] if concerns else []
    sections = {
        _section("Files"): tables.files(report),
        _section("Predicted, not measured"): tables.predictions(report),
    }
    for name in report.sets:
        evaluations = [one for one in report.evaluations if one.set == name]
        sections[_section(name, f"{set_line(evaluations)}.")] = accuracy(evaluations)
        for one in (one for one in report.drifts if one.set == name):
            title = f"{one.candidate} against {one.reference} on {name}"
            sections[_section(title, drift_sentence(one))] = drift(one)
    sections |= {_section(title): table(report) for title, table in tables.INSIDE.items()}
    sections[_section("Origin")] = tables.origin(report)
    for title, table in sections.items():
        if table.rows:
            parts += [title, table.markdown()]
    parts += [_section("Reproduce"), "\n".join(f"    {one_line(command)}" for command in report.commands)]
    return "\n\n".join(parts) + "\n"


def _section(title: str, *lines: str) -> str:
    return "\n\n".join([f"## {in_markdown(title)}", *map(in_markdown, lines)])
