"""The comparison as two tables: models by this project, and converters on the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmark.accuracy.bootstrap import PairedDifference
from benchmark.accuracy.tables import DASH, TextTable, percent, signed
from benchmark.peers.measuring import Row

OURS = "this project"


def models_table(rows: Sequence[Row]) -> TextTable:
    """Each model's quantized file by this project."""
    ours = [row for row in rows if row.made.converter == OURS]
    return _table(ours, ("model", "recipe"), lambda row: (row.made.title, row.made.setting))


def converters_table(rows: Sequence[Row], model: str) -> TextTable:
    """All files of one model."""
    return _table(
        [row for row in rows if row.made.model == model],
        ("converter", "setting"),
        lambda row: (row.made.converter, row.made.setting),
    )


def compared(rows: Sequence[Row]) -> list[str]:
    """Models that others converted, too."""
    return list(dict.fromkeys(row.made.model for row in rows if row.made.converter != OURS))


def problems(rows: Sequence[Row]) -> list[str]:
    """Why a row has no figures, a line each."""
    return [
        f"{row.made.title}, {row.made.converter} ({row.made.setting}): {row.made.problem}"
        for row in rows
        if row.made.problem
    ]


def _table(rows: Sequence[Row], names: tuple[str, str], named: Callable[[Row], tuple[str, str]]) -> TextTable:
    sets = list(dict.fromkeys(name for row in rows for name in row.accuracy))
    cores = list(dict.fromkeys(name for row in rows for name in row.instructions))
    columns = [*names, *(column for name in sets for column in (f"{name} float32", name)), "KB", "operators"]
    columns += [*(f"{core}, M" for core in cores), "host time"]
    return TextTable.named(columns, [[*named(row), *_figures(row, sets, cores)] for row in rows], names=2)


def _figures(row: Row, sets: Sequence[str], cores: Sequence[str]) -> list[str]:
    found = [row.accuracy.get(name) for name in sets]
    counts = [row.instructions.get(core) for core in cores]
    return [
        *(cell for one in found for cell in (_shown(one) if one else (DASH, DASH))),
        f"{row.bytes / 1000:.0f}" if row.bytes else DASH,
        str(row.operators or DASH),
        *(DASH if count is None else f"{count / 1e6:.1f}" for count in counts),
        DASH if row.host_ratio is None else f"{row.host_ratio:.2f}",
    ]


def _shown(one: PairedDifference) -> tuple[str, str]:
    interval = "" if one.low is None else f", {signed(one.low)} to {signed(one.high)}"
    return percent(one.reference), f"{percent(one.candidate)} ({signed(one.difference)}{interval})"
