"""Measurements as tables for a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.table import Table

from benchmark.devices.results import Measurement
from benchmark.devices.runner_output import Operator


def latency_table(measurements: Sequence[Measurement]) -> Table:
    """Latencies of real machines, one row a measurement."""
    table = Table(
        "model", "machine", "runner", "setting", "p50 ms", "p90", "p99", "FPS", "first", "init", "MB", "valid"
    )
    for one in measurements:
        timing = one.timing
        if timing is None:
            continue
        cluster = one.settings.get("cluster")
        setting = f"{one.settings['threads']} threads, {one.settings['delegate']}"
        setting += f", {cluster['name']}" if cluster else ""
        setting += " (quick)" if one.settings.get("quick") else ""
        middle = timing.mean if timing.p50 is None else timing.p50
        table.add_row(
            one.model["file"],
            one.machine["name"],
            one.runner["name"],
            setting,
            f"{middle:.2f}{'' if timing.p50 is not None else ' (mean)'}",
            figure(timing.p90),
            figure(timing.p99),
            f"{timing.fps:.1f}",
            f"{timing.first:.1f}",
            f"{timing.init:.1f}",
            figure(one.peak_memory_mb, 1),
            "yes" if one.valid else "; ".join(one.problems),
        )
    return table


def cost_table(measurements: Sequence[Measurement]) -> Table:
    """Instructions of emulated cores: one row a model, one column a core. No times: they would mean nothing."""
    cores = list(dict.fromkeys(one.machine["name"] for one in measurements if one.instructions))
    table = Table("model", "KB", *(f"{core}\nM instructions" for core in cores))
    rows: dict[str, dict[str, Measurement]] = defaultdict(dict)
    for one in measurements:
        if one.instructions is not None:
            rows[one.model["file"]][one.machine["name"]] = one
    for model, found in rows.items():
        size = next(iter(found.values())).model["bytes"] / 1e3
        table.add_row(model, f"{size:.0f}", *(_millions(found.get(core)) for core in cores))
    return table


def operator_table(measurement: Measurement, most: int = 12) -> Table:
    """The kinds of operators that cost most, with their part of the instructions."""
    kinds = shares_by_kind(measurement.operators)
    total = measurement.instructions.count / 1e6 if measurement.instructions else None
    title = f"{measurement.model['file']} on {measurement.machine['name']}"
    table = Table("operator", "times", "share", *(["M instructions"] if total else []), title=title)
    for kind, count, share in kinds[:most]:
        row = [kind, str(count), f"{share:.1%}"]
        table.add_row(*row, *([f"{share * total:.2f}"] if total else []))
    return table


def shares_by_kind(operators: Sequence[Operator]) -> list[tuple[str, int, float]]:
    """(kind, how often, share of the inference), largest share first."""
    counts: dict[str, int] = defaultdict(int)
    shares: dict[str, float] = defaultdict(float)
    for operator in operators:
        counts[operator.kind] += 1
        shares[operator.kind] += operator.share
    return sorted(((kind, counts[kind], shares[kind]) for kind in shares), key=lambda row: -row[2])


def stage_table(measurement: Measurement) -> Table:
    """Where the milliseconds of a frame go; "total" is end to end."""
    total = measurement.stages_ms.get("total", sum(measurement.stages_ms.values()))
    title = f"{measurement.model['file']}: {1000 / total:.1f} frames a second end to end" if total else None
    table = Table("stage", "mean ms", "share", title=title)
    for stage, milliseconds in measurement.stages_ms.items():
        table.add_row(stage, f"{milliseconds:.2f}", f"{milliseconds / total:.0%}" if total else "")
    return table


def figure(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where it is unknown."""
    return "-" if value is None else f"{value:.{digits}f}"


def _millions(one: Measurement | None) -> str:
    if one is None or one.instructions is None:
        return "-"
    return f"{one.instructions.count / 1e6:.2f}" + ("" if one.valid else " (unstable)")
