"""Pictures and pages of the commands: one look, no network needed, equal bytes for equal figures."""

from __future__ import annotations

import base64
import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
from matplotlib.figure import Figure

from model.foundation.artifact import replacing

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
"""Told apart by the colour-blind too. Source: Okabe and Ito, Color Universal Design, 2008."""
GREY = "#999999"
SETTINGS: Any = {
    "svg.hashsalt": "featherface",
    "svg.fonttype": "none",
    "text.parse_math": False,  # names of layers are no formulas
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def style(**other: Any) -> AbstractContextManager[None]:
    """The look of all pictures that are drawn in the block; `axes_grid=False` differs from it."""
    return mpl.rc_context(SETTINGS | {name.replace("_", ".", 1): value for name, value in other.items()})


def new_figure(width: float, height: float) -> Figure:
    """An empty picture, in inches."""
    return Figure(figsize=(width, height))


def svg_url(figure: Figure) -> str:
    """A picture as a data: address, for a page that carries everything with it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def save_svg(figure: Figure, path: Path) -> None:
    """Write a picture, whole or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None}, bbox_inches="tight")


def html_page(template: Path, **values: Any) -> str:
    """A page of a Jinja template; what stands in the values is no markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template.name).render(**values)
