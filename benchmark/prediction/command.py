"""`predict` and `calibrate`: from counted instructions to predicted latencies, clearly called so."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmark.devices.latency_command import DEFAULT_OUTPUT
from benchmark.devices.results import Measurement, merged, now
from benchmark.emulation import wheels
from benchmark.emulation.cost import arm64_cost, arm64_machine
from benchmark.prediction.cycles import (
    CALIBRATION,
    PHONES,
    Prediction,
    cpi_of,
    fit,
    predict,
    read_calibration,
    transfer_error,
)
from benchmark.prediction.published import LATENCIES
from model.foundation.artifact import write_json
from model.foundation.errors import InputError

CAVEATS = """\
Predicted from counted instructions, not measured. The interval is the error on what was not fitted;
* borrows the CPI of another core. Only inference: no camera, no box decoding. Four threads share a network
smaller than the fitted ones less well: take the x4 rows as upper ends."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands."""
    predictor = subparsers.add_parser("predict", help="predict FPS on classes of phones", description=__doc__)
    predictor.add_argument("--results", type=Path, nargs="+", default=[DEFAULT_OUTPUT], metavar="FILE")
    predictor.add_argument(
        "--output", type=Path, default=Path("build/benchmark/predictions.json"), metavar="FILE"
    )
    predictor.set_defaults(run=run_predict)
    calibrator = subparsers.add_parser(
        "calibrate",
        help="count the public networks' instructions again (after a new runtime)",
        description=__doc__,
    )
    calibrator.add_argument("--output", type=Path, default=CALIBRATION, metavar="FILE")
    calibrator.set_defaults(run=run_calibrate)


def run_predict(options: argparse.Namespace) -> int:
    """Print and store the predictions of every counted model.

    Raises:
        InputError: no result file, or none with instructions and operator shares.
    """
    found = predictions_of(merged(options.results))
    console = Console()
    console.print(fit_table())
    console.print(prediction_table(found))
    print(CAVEATS)
    rows = [
        {**vars(one), "fps": one.fps, "fps_interval": list(one.fps_interval), "predicted": True}
        for one in found
    ]
    write_json(options.output, {"predictions": rows, "made_at": now()})
    return 0


def predictions_of(measurements: list[Measurement]) -> list[Prediction]:
    """Predictions of every model on every class of phones that the counted cores and published figures allow.

    A result file that was resumed after a model was made again holds counts of both: the newest stands.

    Raises:
        InputError: nothing was counted.
    """
    counts = read_calibration()
    counted = [one for one in measurements if one.instructions and one.machine["kind"] == "emulated-arm64"]
    if not counted:
        raise InputError(
            "no instructions in these results: run `python -m benchmark latency --device arm64 --profile`"
        )
    newest = {
        (one.machine["name"], one.model["file"]): one
        for one in sorted(counted, key=lambda one: one.measured_at)
    }
    found = []
    for one in (one for one in counted if one in newest.values()):
        for phone in PHONES:
            if phone.counted == one.machine["details"]["core"] and (made := predict(one, phone, counts)):
                found.append(made)
    return found


def fit_table() -> Table:
    """The calibration: each published latency's CPI and each board's error."""
    counts = read_calibration()
    table = Table(
        "board", "network", "published ms", "M instructions", "CPI", "fit, leave-one-out", title="calibration"
    )
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


def prediction_table(found: list[Prediction]) -> Table:
    """Predicted inferences a second with their interval, one row a model and class of phones."""
    borrowed = {phone.name for phone in PHONES if phone.transferred}
    table = Table("model", "phone, threads, clock", "FPS", "interval", "ms", title="PREDICTED, not measured")
    for model in dict.fromkeys(one.model for one in found):
        rows = [one for phone in PHONES for one in found if (one.model, one.phone) == (model, phone.name)]
        for one in rows:
            low, high = one.fps_interval
            name = f"{one.phone}{' *' if one.phone in borrowed else ''}"
            cells = [f"{one.fps:.0f}", f"{low:.0f} to {high:.0f}", f"{one.milliseconds:.1f}"]
            table.add_row(model if one is rows[0] else "", name, *cells, end_section=one is rows[-1])
    return table


def run_calibrate(options: argparse.Namespace) -> int:
    """Build the public networks and count them on every core that stands for a published latency."""
    from benchmark.prediction.public_networks import write_networks

    rows: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Console(stderr=True).status("building MobileNet V1 and V2") as status,
    ):
        networks = write_networks(Path(folder))
        for core in dict.fromkeys(one.emulated for one in LATENCIES):
            with arm64_machine(core, counting=True) as machine:
                for (network, precision), path in networks.items():
                    status.update(f"{core} counts {network} {precision}")
                    counted = arm64_cost(machine, path).instructions
                    assert counted is not None
                    kind = "int8" if precision == "int8" else "float"
                    row = {"network": network, "kind": kind, "core": core, "count": counted.count}
                    rows.append({**row, "spread": counted.spread})
    runtime = wheels.LITERT_ARM64.requirement
    write_json(options.output, {"runtime": runtime, "counted_at": now(), "instructions": rows})
    print(f"{len(rows)} counts: {options.output}")
    return 0
