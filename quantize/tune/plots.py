"""Pictures of `sensitivity`, `search` and `curve`, as SVG."""

from __future__ import annotations

from pathlib import Path

from model.foundation.command_line.pictures import COLOURS, GREY, new_figure, save_svg, style
from quantize.tune.curve import CalibrationCurve
from quantize.tune.search import Found, pareto
from quantize.tune.sensitivity import SensitivityTable

BLUE, RED = COLOURS[:2]
MOST_BARS = 40


def plot_sensitivity(table: SensitivityTable, path: Path) -> None:
    """The most sensitive layers: AP points and decibels, as bars."""
    rows = table.rows[:MOST_BARS][::-1]
    with style():
        figure = new_figure(11, 1.2 + 0.24 * len(rows))
        points, ratios = figure.subplots(1, 2, sharey=True)
        places = range(len(rows))
        points.barh(
            [i + 0.2 for i in places], [r.damage for r in rows], 0.4, color=RED, label="INT8 alone costs"
        )
        points.barh(
            [i - 0.2 for i in places],
            [r.repair or 0.0 for r in rows],
            0.4,
            color=BLUE,
            label="float alone repairs",
        )
        points.set_yticks(list(places), [r.layer.name for r in rows], fontsize=7)
        points.set_xlabel(f"AP50 points, {table.images} images")
        points.legend(fontsize=8, frameon=False)
        ratios.barh(list(places), [r.damage_db for r in rows], 0.6, color=GREY)
        ratios.set_xlabel("lowest SQNR of the outputs, INT8 alone (dB)")
        save_svg(figure, path)


def plot_search(found: Found, limit: float, path: Path) -> None:
    """Every candidate's drop against bytes and cost, with the Pareto fronts and the winner."""
    with style():
        figure = new_figure(10, 4)
        places = figure.subplots(1, len(found.prices), sharey=True, squeeze=False)[0]
        for axes, (label, price) in zip(places, found.prices.items(), strict=True):
            axes.scatter([price(c) for c in found.candidates], [-c.drop for c in found.candidates], 14, GREY)
            front = pareto(found.candidates, price)
            axes.plot(
                [price(c) for c in front], [-c.drop for c in front], "o-", color=BLUE, label="Pareto front"
            )
            axes.plot(
                [price(found.winner)], [-found.winner.drop], "*", color=RED, markersize=13, label="winner"
            )
            axes.axhline(-limit, color=RED, linewidth=0.8, linestyle="--", label="limit")
            axes.set_xlabel(label)
        figure.axes[0].set_ylabel("change of AP50 against float (points)")
        figure.axes[0].legend(fontsize=8, frameon=False)
        save_svg(figure, path)


def plot_curve(curve: CalibrationCurve, path: Path) -> None:
    """AP50 against the number of calibration images, float as a line."""
    with style():
        figure = new_figure(6.4, 3.8)
        axes = figure.add_subplot()
        axes.plot([p.images for p in curve.points], [p.trial.ap50 for p in curve.points], "o-", color=BLUE)
        axes.axhline(curve.float_file.ap50, color=GREY, linestyle="--", label="float")
        axes.set_xscale("log", base=2)
        axes.set_xlabel("calibration images")
        axes.set_ylabel("AP50 (points)")
        axes.legend(fontsize=8, frameon=False)
        save_svg(figure, path)
