"""What `sensitivity`, `search` and `curve` print."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from model.foundation.command_line.terminal import console, narrow_table
from quantize.tune.curve import CalibrationCurve
from quantize.tune.search import Candidate, Found, change, pareto
from quantize.tune.sensitivity import SensitivityTable
from quantize.tune.trials import Trial

SHOWN_ROWS = 30


def print_sensitivity(table: SensitivityTable) -> None:
    """The most sensitive layers, and what the whole files lose in each band of face heights."""
    screen = console()
    rows = narrow_table(title=f"AP50 in points on {table.images} images; SQNR in dB")
    for column in ("layer", "operators", "MACs", "INT8 alone costs", "dB", "float alone repairs", "dB"):
        rows.add_column(
            column, justify="left" if column in ("layer", "operators") else "right", overflow="fold"
        )
    for row in table.rows[:SHOWN_ROWS]:
        repair = "" if row.repair is None else f"{row.repair:.2f}"
        gain = "" if row.repair_db is None else f"{row.repair_db:+.2f}"
        rows.add_row(
            row.layer.name,
            ", ".join(dict.fromkeys(row.layer.operators)).lower(),
            f"{row.layer.macs:,}",
            f"{row.damage:.2f}",
            f"{row.damage_db:.1f}",
            repair,
            gain,
        )
    screen.print(rows)
    if len(table.rows) > SHOWN_ROWS:
        screen.print(f"and {len(table.rows) - SHOWN_ROWS} less sensitive layers, in the JSON file")
    screen.print(heights({"float": table.float_file, "all INT8": table.int8_file}))


def heights(trials: dict[str, Trial]) -> Table:
    """AP50 and recall at the score floor by face height in pixels of the input, one row a file."""
    rows = narrow_table(title="AP50, and recall by face height in the network's input")
    bands = list(next(iter(trials.values())).recall)
    for column in ("file", "AP50", "bytes", *bands):
        rows.add_column(column, justify="left" if column == "file" else "right")
    for name, trial in trials.items():
        cells = [f"{found}/{faces}" for faces, found in (trial.recall[band] for band in bands)]
        rows.add_row(name, f"{trial.ap50:.2f}", f"{trial.bytes:,}", *cells)
    return rows


def search_line(candidate: Candidate) -> None:
    """One line a candidate while the search goes on."""
    print(
        f"{len(candidate.in_float):4d} layers in float: AP50 {candidate.trial.ap50:.2f} "
        f"({_signed(candidate.drop)} against float), {candidate.trial.bytes:,} bytes"
        f"{_instructions(candidate)}",
        flush=True,
    )


def search_json(found: Found, limit: float, model: str) -> dict[str, Any]:
    """The whole search; "layers" is the table of candidates for the report."""
    return {
        "kind": "search",
        "title": f"Search on {model}: at most {limit} points below float",
        "max_drop": limit,
        "within_limit": found.within_limit,
        "tried": len(found.candidates),
        "objective": found.objective,
        "float": vars(found.floats[0]),
        "float_verified": vars(found.floats[1]),
        "winner": found.winner.to_json(),
        "layers": [
            {
                "float_layers": len(one.in_float),
                "ap50": one.trial.ap50,
                "change": change(one.drop),
                "verified_change": change(one.verified_drop),
                "bytes": one.trial.bytes,
                "million_instructions": one.trial.million_instructions,
            }
            for one in found.candidates
        ],
        "candidates": [one.to_json() for one in found.candidates],
    }


def print_found(found: Found, limit: float) -> None:
    """The two Pareto fronts, the winner, and its recall by face height."""
    screen = console()
    cores = list(found.winner.trial.million_instructions)
    for title, price in found.prices.items():
        rows = narrow_table(
            "layers in float",
            "bytes",
            *cores,
            "change",
            "held aside",
            title=f"Pareto front: AP50 against {title}",
        )
        for one in pareto(found.candidates, price):
            verified = "" if one.verified_drop is None else _signed(one.verified_drop)
            counted = [f"{one.trial.million_instructions[core]:.1f}" for core in cores]
            cells = f"{one.trial.bytes:,}", *counted, _signed(one.drop), verified
            rows.add_row(str(len(one.in_float)), *cells)
        screen.print(rows)
    winner = found.winner
    trials = {"float": found.floats[0], "winner": winner.trial}
    if winner.verified is not None:
        trials |= {"float, held aside": found.floats[1], "winner, held aside": winner.verified}
    screen.print(heights(trials))
    drop = winner.drop if winner.verified_drop is None else winner.verified_drop
    said = "the cheapest within" if found.within_limit else "NO assignment holds"
    screen.print(
        f"{len(found.candidates)} candidates tried; {said} the limit of {limit} points on both halves"
        + ("" if found.within_limit else "; the best")
        + f" has {len(winner.in_float)} layers in float; AP50 {_signed(drop)} against float, held aside"
    )


def _instructions(candidate: Candidate) -> str:
    counts = candidate.trial.million_instructions.items()
    return "".join(f", {count:.1f} M on {core}" for core, count in counts)


def _signed(drop: float) -> str:
    return f"{change(drop) or 0.0:+.2f}"


def print_curve(curve: CalibrationCurve) -> None:
    """AP50 against the number of calibration images, with recall by face height."""
    screen = console()
    rows = narrow_table("images", "AP50", "change", "boxes dB", "unstable scales", title="Calibration images")
    for point in curve.points:
        drop = curve.float_file.ap50 - point.trial.ap50
        decibel = point.trial.sqnr_db.get("boxes")
        boxes = "" if decibel is None else f"{decibel:.1f}"
        rows.add_row(str(point.images), f"{point.trial.ap50:.2f}", _signed(drop), boxes, str(point.unstable))
    screen.print(rows)
    screen.print(heights({"float": curve.float_file} | {str(p.images): p.trial for p in curve.points}))
