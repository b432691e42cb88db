"""A comparison as one HTML page that needs no network: table, course through the network, histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from convert.tflite.layer_difference import Histogram, LayerComparison, LayerDifference
from model.foundation.command_line.pictures import COLOURS, html_page, new_figure, style, svg_url

TEMPLATE = Path(__file__).parent / "templates" / "compare.html.j2"
FIRST, SECOND = COLOURS[:2]
PICTURED = 24


def page(found: LayerComparison, histograms: Mapping[str, Histogram]) -> str:
    """The whole page: the comparison, and each layer's values in both files."""
    with style(font_size=9, axes_grid=False):
        pictures = [(one, histogram_url(histograms[one.layer])) for one in found.layers[:PICTURED]]
        course = course_url(found.in_order, found.limit_db)
    return html_page(TEMPLATE, value=found, pictures=pictures, course=course)


def histogram_url(histogram: Histogram) -> str:
    """Both files' values, counts on a logarithmic axis, as a data: address."""
    figure = new_figure(4.2, 2.2)
    axes = figure.add_subplot()
    edges = np.linspace(histogram.low, histogram.high, len(histogram.first) + 1)
    axes.stairs(histogram.first, edges, fill=True, color=FIRST, alpha=0.35, label="A")
    axes.stairs(histogram.second, edges, color=SECOND, label="B")
    axes.set_yscale("symlog", linthresh=1)
    axes.set(xlabel="value", ylabel="count")
    axes.legend(frameon=False, fontsize=8)
    return svg_url(figure)


def course_url(layers: Sequence[LayerDifference], limit_db: float) -> str:
    """SQNR in the order of execution, as a data: address."""
    figure = new_figure(9, 3)
    axes = figure.add_subplot()
    axes.plot(
        [one.order for one in layers], [one.sqnr_db for one in layers], ".-", color=FIRST, linewidth=0.8
    )
    axes.axhline(limit_db, color=SECOND, linestyle="--", linewidth=1)
    axes.set(xlabel="operator, in order of execution", ylabel="SQNR, dB")
    axes.grid(alpha=0.3)
    return svg_url(figure)
