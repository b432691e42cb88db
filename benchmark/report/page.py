"""The report as one HTML page that needs no network, and as Markdown, from the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from benchmark.report import plots, tables
from benchmark.report.rows import Report

TEMPLATES = Path(__file__).parent / "templates"


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
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    sets = []
    for name in report.sets:
        evaluations = [one for one in report.evaluations if one.set == name]
        labelled = [one for one in evaluations if one.ap50 is not None]
        drifts = [
            (
                one,
                tables.drift(one),
                tables.drift_sentence(one),
                _pictures_of(pictures, one.candidate_sha256, name),
            )
            for one in report.drifts
            if one.set == name
        ]
        sets.append(
            {
                "name": name,
                "first": evaluations[0],
                "protocols": list(dict.fromkeys(one.protocol for one in evaluations)),
                "accuracy": tables.accuracy(evaluations),
                "pareto": plots.pareto(report, name) if labelled else None,
                "curves": plots.precision_recall(labelled) if labelled else None,
                "heights": plots.height_recall(labelled) if labelled else None,
                "drifts": drifts,
            }
        )
    return environment.get_template("report.html.j2").render(
        report=report,
        summary=tables.summary(report),
        predictions=tables.predictions(report),
        sets=sets,
        layers=[(one, plots.layer_bars(one)) for one in report.layers],
        parity=tables.parity(report.artefacts),
        census=tables.census(report.artefacts),
        hashes=tables.hashes(report.artefacts),
    )


def _pictures_of(pictures: Sequence[Picture], sha256: str, set_name: str) -> list[Picture]:
    return [one for one in pictures if (one.candidate_sha256, one.set) == (sha256, set_name)]


def markdown(report: Report) -> str:
    """The tables as Markdown, for a README or a comment of a CI."""
    parts = [
        "# Report",
        f"Made {report.made_at}, seed {report.seed}.",
        "## Files",
        tables.summary(report).markdown(),
    ]
    predicted = tables.predictions(report)
    if predicted is not None:
        parts += ["## Predicted, not measured", predicted.markdown()]
    for name in report.sets:
        evaluations = [one for one in report.evaluations if one.set == name]
        protocols = "; ".join(dict.fromkeys(one.protocol for one in evaluations))
        counts = f"{evaluations[0].images} images, {evaluations[0].faces} faces. Protocol: {protocols}."
        parts += [f"## {name}", counts, tables.accuracy(evaluations).markdown()]
        for one in report.drifts:
            if one.set == name:
                title = f"### {one.candidate} against {one.reference} on {name}"
                parts += [title, tables.drift(one).markdown(), tables.drift_sentence(one)]
    for title, table in (
        ("Parity", tables.parity(report.artefacts)),
        ("Operators", tables.census(report.artefacts)),
    ):
        if table is not None:
            parts += [f"## {title}", table.markdown()]
    parts += ["## Origin", tables.hashes(report.artefacts).markdown()]
    parts += ["## Reproduce", "```\n" + "\n".join(report.commands) + "\n```"]
    return "\n\n".join(parts) + "\n"
