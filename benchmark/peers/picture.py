"""The comparison as one picture: AP against instructions, and against bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

from benchmark.peers.measuring import Row
from benchmark.peers.tables import OURS
from benchmark.report.plots import COLOURS, SETTINGS
from model.foundation.artifact import replacing
from model.networks import NETWORKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float, Row]


def draw(path: Path, rows: Sequence[Row], set_name: str) -> bool:
    """Draw each model's quantized file by this project; the line joins those that no other is better than.

    Args:
        path: Picture to write; its suffix says which kind.
        rows: Measured ones.
        set_name: The set whose AP is drawn.

    Returns:
        Whether there was anything to draw.
    """
    from matplotlib.figure import Figure

    drawn = [row for row in rows if row.made.converter == OURS and set_name in row.accuracy]
    panels = [(f"million instructions on {core}", lambda row, core=core: row.instructions.get(core, 0) / 1e6)
              for core in dict.fromkeys(core for row in drawn for core in row.instructions)]  # fmt: skip
    panels.append(("kilobytes", lambda row: row.bytes / 1000))
    if not drawn:
        return False
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(4.2 * len(panels), 3.8), layout="constrained")
        for axes, (label, cost) in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels,
                                       strict=True):  # fmt: skip
            points = [(cost(row), 100 * (row.accuracy[set_name].ap or 0), row) for row in drawn if cost(row)]
            _panel(axes, points, label)
        figure.axes[0].set_ylabel(f"AP50 x 100 on {set_name}")
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=110)
    return True


def _panel(axes: Axes, points: Sequence[Point], label: str) -> None:
    axes.set_xlabel(label)
    axes.set_xscale("log")
    best = pareto(points)
    axes.plot([x for x, _, _ in best], [y for _, y, _ in best], color="#999999", linewidth=1, zorder=1)
    for x, y, row in points:
        own = row.made.model in NETWORKS.names() and "featherface" in row.made.model
        axes.scatter(x, y, color=COLOURS[0] if own else COLOURS[1], marker="o" if own else "s", zorder=2)
        axes.annotate(row.made.title, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7)


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that none is cheaper and better than, cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda one: (one[0], -one[1])):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best
