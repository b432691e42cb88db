"""A picture of a run's log: losses, and AP where it was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.foundation.artifact import parse_json, replacing
from model.foundation.damage import damage_is_said
from model.foundation.errors import InputError
from model.training.loop import LOG

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT = "training.png"


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, in order; a line that a crash cut short is left out.

    Raises:
        InputError: there is no log.
    """
    path = folder / LOG
    if not path.is_file():
        raise InputError(f"no log of a training at {path}")
    entries = []
    for line in path.read_bytes().splitlines():
        try:
            entries.append(parse_json(line))
        except ValueError:
            continue
    return entries


def plot_run(folder: Path) -> Path:
    """Draw a run's log as `training.png` in its folder.

    Raises:
        InputError: there is no log.
    """
    with damage_is_said(f"{folder / LOG} is no log of a training"):
        figure = _figure(read_log(folder))
    path = folder / PLOT
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
    return path


def _figure(lines: Sequence[dict[str, Any]]) -> Figure:
    from matplotlib.figure import Figure  # only this function needs it

    entries = [line for line in lines if "face" in line]
    samples = [entry["samples"] / 1000 for entry in entries]
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in ("face", "boxes", "landmarks"):
        left.plot(samples, [entry[name] for entry in entries], label=name)
    left.set(xlabel="thousand samples", ylabel="loss (mean of an epoch)", yscale="log")
    left.legend()
    looked = [entry for entry in lines if any("_320" in key for key in entry)]
    for name in sorted({key for entry in looked for key in entry if key.endswith(("_320", "_640"))}):
        points = [(entry["samples"] / 1000, entry[name]) for entry in looked if name in entry]
        right.plot(*zip(*points, strict=True), marker=".", label=name.replace("_", " "))
    right.set(xlabel="thousand samples", ylabel="AP at IoU 0.5")
    right.grid(alpha=0.3)
    if looked:
        right.legend(fontsize="small")
    return figure
