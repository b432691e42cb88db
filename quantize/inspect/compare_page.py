"""A comparison as one HTML page that needs no network: table, course through the network, histograms."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from convert.tflite.layer_difference import Histogram, LayerComparison, LayerDifference

TEMPLATES = Path(__file__).parent / "templates"
FIRST, SECOND = "#0072b2", "#d55e00"
"""Told apart by the colour-blind too. Source: Okabe and Ito, Color Universal Design, 2008."""
SETTINGS: Any = {
    "svg.hashsalt": "featherface",  # the same figures give the same bytes
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "text.parse_math": False,  # names of layers are no formulas
    "axes.spines.right": False,
}
PICTURED = 24


def page(found: LayerComparison, histograms: Mapping[str, Histogram]) -> str:
    """The whole page: the comparison, and each layer's values in both files."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    with mpl.rc_context(SETTINGS):
        pictures = [(one, histogram_url(histograms[one.layer])) for one in found.layers[:PICTURED]]
        course = course_url(found.in_order, found.limit_db)
    return environment.get_template("compare.html.j2").render(value=found, pictures=pictures, course=course)


def histogram_url(histogram: Histogram) -> str:
    """Both files' values, counts on a logarithmic axis, as a data: address."""
    figure = Figure(figsize=(4.2, 2.2))
    axes = figure.add_subplot()
    edges = np.linspace(histogram.low, histogram.high, len(histogram.first) + 1)
    axes.stairs(histogram.first, edges, fill=True, color=FIRST, alpha=0.35, label="A")
    axes.stairs(histogram.second, edges, color=SECOND, label="B")
    axes.set_yscale("symlog", linthresh=1)
    axes.set(xlabel="value", ylabel="count")
    axes.legend(frameon=False, fontsize=8)
    return _url(figure)


def course_url(layers: Sequence[LayerDifference], limit_db: float) -> str:
    """SQNR in the order of execution, as a data: address."""
    figure = Figure(figsize=(9, 3))
    axes = figure.add_subplot()
    axes.plot(
        [one.order for one in layers], [one.sqnr_db for one in layers], ".-", color=FIRST, linewidth=0.8
    )
    axes.axhline(limit_db, color=SECOND, linestyle="--", linewidth=1)
    axes.set(xlabel="operator, in order of execution", ylabel="SQNR, dB")
    axes.grid(alpha=0.3)
    return _url(figure)


def _url(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
