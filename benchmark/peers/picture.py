"""The comparison as one picture: AP against instructions, and against bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.peers.measuring import Row
from benchmark.peers.tables import OURS
from model.foundation.artifact import replacing
from model.foundation.command_line.pictures import COLOURS, GREY, new_figure, style

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
    drawn = [row for row in rows if row.made.converter == OURS and set_name in row.accuracy]
    cores = list(dict.fromkeys(core for row in drawn for core in row.instructions))
    if not drawn:
        return False
    with style():
        figure = new_figure(4.2 * (len(cores) + 1), 3.8)
        figure.set_layout_engine("constrained")
        panels = figure.subplots(1, len(cores) + 1, sharey=True, squeeze=False)[0]
        for axes, core in zip(panels, [*cores, None], strict=True):
            points = [
                (_cost(row, core), 100 * (row.accuracy[set_name].candidate or 0), row)
                for row in drawn
                if core is None or core in row.instructions
            ]
            _panel(axes, points, f"million instructions on {core}" if core else "kilobytes")
        figure.axes[0].set_ylabel(f"AP50 x 100 on {set_name}")
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=110)
    return True


def _cost(row: Row, core: str | None) -> float:
    return row.bytes / 1000 if core is None else row.instructions[core] / 1e6


def _panel(axes: Axes, points: Sequence[Point], label: str) -> None:
    axes.set_xlabel(label)
    axes.margins(x=0.25, y=0.1)  # room for names
    best = pareto(points)
    axes.plot([x for x, _, _ in best], [y for _, y, _ in best], color=GREY, linewidth=1, zorder=1)
    for x, y, row in points:
        own = row.made.model.startswith("featherface")
        axes.scatter(x, y, color=COLOURS[0] if own else COLOURS[1], marker="o" if own else "s", zorder=2)
        axes.annotate(row.made.title, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7)


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that none is cheaper and better than, cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda one: (one[0], -one[1])):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best
