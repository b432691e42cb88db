"""Predictions, and the fit that they rest on, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmark.prediction.cycles import (
    LATENCIES,
    PHONES,
    Prediction,
    cpi_of,
    fit,
    read_counts,
    transfer_error,
)
from model.foundation.command_line.terminal import narrow_table

CAVEATS = """\
Predicted from counted instructions, not measured. The interval is the error on what was not fitted;
* borrows the CPI of another core. Only inference: no camera, no box decoding. Four threads share a network
smaller than the fitted ones less well: take the x4 rows as upper ends. Cycles per instruction are fitted with
LiteRT's counts, for every runtime."""


def fit_table() -> Table:
    """Each published latency's cycles per instruction (CPI), and each board's fit with its error."""
    counts = read_counts()
    columns = ("board", "network", "published ms", "M instructions", "CPI", "fit, leave-one-out")
    table = Table(*columns, title="cycles per instruction")
    for one in LATENCIES:
        found = fit(one.board, one.kind, counts)
        count = counts[one.network, one.kind, one.emulated]
        table.add_row(
            f"{one.board}, {one.threads} thr",
            f"{one.network} {one.kind}",
            f"{one.milliseconds:g}",
            f"{count / 1e6:.1f}",
            f"{cpi_of(one, counts):.2f}",
            f"{found.cpi:.2f} +- {found.error:.0%}" if found else "",
        )
    for kind in ("float", "int8"):
        table.add_row(
            "one board from another", kind, "", "", "", f"+- {transfer_error(kind, 4, counts):.0%} (4 thr)"
        )
    return table


def prediction_table(found: Sequence[Prediction]) -> Table:
    """Predicted inferences a second with their interval, one row a model, runtime and class of phones."""
    borrowed = {phone.name for phone in PHONES if phone.transferred}
    columns = ("model", "runtime", "phone, threads, clock", "FPS", "interval", "ms")
    table = narrow_table(*columns, title="PREDICTED, not measured")
    for model, runtime in dict.fromkeys((one.model, one.runtime) for one in found):
        of_it = [one for one in found if (one.model, one.runtime) == (model, runtime)]
        rows = [one for phone in PHONES for one in of_it if one.phone == phone.name]
        for one in rows:
            low, high = one.fps_interval
            name = f"{one.phone}{' *' if one.phone in borrowed else ''}"
            cells = [f"{one.fps:.0f}", f"{low:.0f} to {high:.0f}", f"{one.milliseconds:.1f}"]
            title = (model, runtime) if one is rows[0] else ("", "")
            table.add_row(*title, name, *cells, end_section=one is rows[-1])
    return table
