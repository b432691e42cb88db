"""The report's pictures, as SVG that a page carries inside itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from benchmark.accuracy.evaluation import Evaluation
from benchmark.report.rows import ArtefactRow, Layers, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
"""Told apart by the colour-blind too. Source: Okabe and Ito, Color Universal Design, 2008."""

MARKERS = "osD^vPX*"
SETTINGS: Any = {
    "svg.hashsalt": "featherface",  # the same figures give the same bytes
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}
MAX_BARS = 30


def svg_url(figure: Figure) -> str:
    """The figure as a data: address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def _figure(width: float = 6.4, height: float = 3.8) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width, height))
    return figure, figure.add_subplot()


def _legend(axes: Axes) -> None:
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.18))


def pareto(report: Report, set_name: str) -> str:
    """AP50 against the size of the file; the line joins the files that no other beats in both."""
    with mpl.rc_context(SETTINGS):
        figure, axes = _figure()
        points: list[tuple[float, float, ArtefactRow]] = []
        for row in report.artefacts:
            found = report.evaluation(row, set_name)
            if found is not None and found.ap50 is not None:
                points.append((row.bytes / 1024, 100 * found.ap50, row))
        for index, (size, ap, row) in enumerate(points):
            colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
            axes.plot(size, ap, marker, color=colour, markersize=8, label=row.file)
        front = [
            (size, ap)
            for size, ap, _ in sorted(points, key=lambda one: (one[0], -one[1]))
            if all(other_ap < ap or other_size >= size for other_size, other_ap, _ in points)
        ]
        axes.plot(
            [size for size, _ in front], [ap for _, ap in front], "--", color="0.5", linewidth=1, zorder=0
        )
        axes.set(xlabel="file size, KiB", ylabel=f"AP50 on {set_name}, %")
        axes.margins(0.12)
        _legend(axes)
        return svg_url(figure)


def precision_recall(evaluations: Sequence[Evaluation]) -> str:
    """Precision against recall at IoU 0.5, one line a model."""
    with mpl.rc_context(SETTINGS):
        figure, axes = _figure()
        for index, one in enumerate(evaluations):
            style = "-" if index < len(COLOURS) else "--"
            colour = COLOURS[index % len(COLOURS)]
            ap = "" if one.ap50 is None else f" ({100 * one.ap50:.2f})"
            axes.plot(
                one.curve["recall"], one.curve["precision"], style, color=colour, lw=1.5, label=one.model + ap
            )
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.005), ylim=(0, 1.02))
        _legend(axes)
        return svg_url(figure)


def height_recall(evaluations: Sequence[Evaluation]) -> str:
    """Recall by face height, a group of bars a band."""
    with mpl.rc_context(SETTINGS):
        figure, axes = _figure()
        bands = list(evaluations[0].recall_by_height)
        wide = 0.8 / max(1, len(evaluations))
        for index, one in enumerate(evaluations):
            rows = [one.recall_by_height[band] for band in bands]
            shares = [100 * row["found"] / row["faces"] if row["faces"] else 0.0 for row in rows]
            places = [place + (index - (len(evaluations) - 1) / 2) * wide for place in range(len(bands))]
            axes.bar(places, shares, wide, color=COLOURS[index % len(COLOURS)], label=one.model)
        counts = [evaluations[0].recall_by_height[band]["faces"] for band in bands]
        labels = [f"{band} px\n{count} faces" for band, count in zip(bands, counts, strict=True)]
        axes.set_xticks(range(len(bands)), labels)
        axes.set(ylabel="recall at the score floor, %", ylim=(0, 101))
        _legend(axes)
        return svg_url(figure)


def layer_bars(table: Layers) -> str | None:
    """The worst layers by the table's first numeric column; None where it has none."""
    numeric = [
        index
        for index in range(1, len(table.columns))
        if all(isinstance(row[index], (int, float)) for row in table.rows)
    ]
    if not numeric:
        return None
    rows = table.rows[:MAX_BARS]
    with mpl.rc_context(SETTINGS):
        figure, axes = _figure(6.4, 0.22 * len(rows) + 1)
        names = [str(row[0])[-48:] for row in rows]
        axes.barh(range(len(rows)), [float(row[numeric[0]]) for row in rows], color=COLOURS[0])
        axes.set_yticks(range(len(rows)), names, fontsize=7)
        axes.invert_yaxis()
        axes.set(xlabel=table.columns[numeric[0]])
        return svg_url(figure)
