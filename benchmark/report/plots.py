"""The report's pictures, as SVG that a page carries inside itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.accuracy.evaluation import Evaluation
from benchmark.accuracy.tables import percent
from benchmark.report.rows import Layers, Report
from model.evaluation.metrics import HEADLINE, METRICS
from model.foundation.command_line.pictures import COLOURS, new_figure, style, svg_url

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS, GLYPHS = "osD^vPX*", "●■◆▲▼✚✖★"
"""Of points in plots, and the same in text."""
DASHES, HATCHES = ("-", "--", ":", "-."), ("", "//", "..", "xx")


@dataclass(frozen=True)
class Mark:
    """What tells a file from the others in every plot and table: no two of 32 have the same."""

    number: int

    @property
    def colour(self) -> str:
        """As #rrggbb."""
        return COLOURS[self.number % len(COLOURS)]

    @property
    def round(self) -> int:
        """How often all colours were taken before."""
        return self.number // len(COLOURS) % len(DASHES)

    @property
    def shape(self) -> int:
        """Place in MARKERS and GLYPHS."""
        return (self.number + self.round) % len(MARKERS)

    @property
    def glyph(self) -> str:
        """The marker as a letter."""
        return GLYPHS[self.shape]


def marks(report: Report) -> dict[str, Mark]:
    """Hash of a file -> its mark."""
    return {row.sha256: Mark(number) for number, row in enumerate(report.artefacts)}


MAX_BARS = 30
SHOWN_POINTS = 15
"""Of the headline metric below the best file's: what finds nothing would press all others together."""


def _figure(width: float = 6.4, height: float = 3.8) -> tuple[Figure, Axes]:
    figure = new_figure(width, height)
    return figure, figure.add_subplot()


def _legend(axes: Axes) -> None:
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.18))


@dataclass(frozen=True)
class Plot:
    """A picture of one set.

    Attributes:
        url: data: address.
        alt: What it shows, for those who do not see it.
        caption: How to read it.
    """

    url: str
    alt: str
    caption: str


def set_plots(report: Report, set_name: str) -> list[Plot]:
    """Every plot of a set on which a figure was measured."""
    found = [one for one in report.evaluations if one.set == set_name and one.faces]
    return [
        Plot(draw(report, found), f"{what} on {set_name}", caption)
        for draw, what, caption in SET_PLOTS
        if found
    ]


def _pareto(report: Report, evaluations: Sequence[Evaluation]) -> str:
    """Headline metric against the size of the file."""
    with style():
        figure, axes = _figure()
        bytes_of = {row.sha256: row.bytes for row in report.artefacts}
        points = [
            (bytes_of[one.model_sha256] / 1024, 100 * ap, one)
            for one in evaluations
            if (ap := one.headline) is not None
        ]
        floor = max((ap for _, ap, _ in points), default=0.0) - SHOWN_POINTS
        for size, ap, one in points:
            mark, place = marks(report)[one.model_sha256], max(ap, floor)
            axes.plot(size, place, MARKERS[mark.shape], color=mark.colour, markersize=8)
            if ap < floor:
                axes.annotate(f"{ap:.1f} ↓", (size, floor), (8, -4), textcoords="offset points")
        front = [
            (size, ap)
            for size, ap, _ in sorted(points, key=lambda one: (one[0], -one[1]))
            if all(other_ap < ap or other_size >= size for other_size, other_ap, _ in points)
        ]
        axes.plot(*zip(*front, strict=True), "--", color="0.5", linewidth=1, zorder=0)
        axes.set(xlabel="file size, KiB", ylabel=f"{METRICS[HEADLINE].title} on {evaluations[0].set}, %")
        axes.margins(0.12)
        return svg_url(figure)


def _precision_recall(report: Report, evaluations: Sequence[Evaluation]) -> str:
    """Precision against recall at IoU 0.5, one line a model."""
    with style():
        figure, axes = _figure()
        for one in evaluations:
            mark, curve = marks(report)[one.model_sha256], one.curve
            line: Any = {"marker": MARKERS[mark.shape], "markevery": 0.15, "color": mark.colour, "lw": 1.2}
            label = f"{one.model} ({percent(one.headline)})"
            axes.plot(curve.recall, curve.precision, DASHES[mark.round], label=label, markersize=5, **line)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.005), ylim=(0, 1.02))
        _legend(axes)
        return svg_url(figure)


def _height_recall(report: Report, evaluations: Sequence[Evaluation]) -> str:
    """Recall by face height, a group of bars a band."""
    with style():
        figure, axes = _figure()
        bands = evaluations[0].recall_by_height
        wide = 0.8 / max(1, len(evaluations))
        for index, one in enumerate(evaluations):
            rows = [one.recall_by_height[band] for band in bands]
            shares = [100 * row.found / row.faces if row.faces else 0.0 for row in rows]
            places = [place + (index - (len(evaluations) - 1) / 2) * wide for place in range(len(bands))]
            mark = marks(report)[one.model_sha256]
            axes.bar(places, shares, wide, color=mark.colour, hatch=HATCHES[mark.round], label=one.model)
        labels = [f"{band} px\n{row.faces} faces" for band, row in bands.items()]
        axes.set_xticks(range(len(bands)), labels)
        axes.set(ylabel="recall at the score floor, %", ylim=(0, 101))
        _legend(axes)
        return svg_url(figure)


SET_PLOTS: tuple[tuple[Callable[[Report, Sequence[Evaluation]], str], str, str], ...] = (
    (
        _pareto,
        "Accuracy against file size",
        "Marks as in the table; the dashed line joins the files that no other beats in accuracy and size.",
    ),
    (_precision_recall, "Precision-recall curves", "Precision and recall at IoU 0.5; AP in brackets."),
    (
        _height_recall,
        "Recall by face height",
        "Recall by face height: an average that hides the small faces is not a result.",
    ),
)
"""The pictures of a set: how each is drawn from its evaluations, what it shows, its caption."""


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
    with style():
        figure, axes = _figure(6.4, 0.22 * len(rows) + 1)
        names = [str(row[0])[-48:] for row in rows]
        axes.barh(range(len(rows)), [float(row[numeric[0]]) for row in rows], color=COLOURS[0])
        axes.set_yticks(range(len(rows)), names, fontsize=7)
        axes.invert_yaxis()
        axes.set(xlabel=table.columns[numeric[0]])
        return svg_url(figure)
