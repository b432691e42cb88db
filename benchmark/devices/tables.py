"""Measurements as tables for a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.table import Table

from benchmark.devices.results import Measurement
from benchmark.runner.output import OperatorShare
from model.foundation.command_line.terminal import narrow_table, shared_beginning, without_beginning


def tables_of(measurements: Sequence[Measurement]) -> list[Table]:
    """The tables that measurements fill."""
    found = []
    if any(one.timing for one in measurements):
        found.append(latency_table(measurements))
    if any(one.instructions for one in measurements):
        found.append(cost_table(measurements))
    for one in measurements:
        found += [operator_table(one)] if one.operators else []
        found += [stage_table(one)] if one.stages_ms else []
    return found


def latency_table(measurements: Sequence[Measurement]) -> Table:
    """Latencies of one real machine, one row a measurement."""
    names = {f"{one.machine.name}, {one.runner.name}" for one in measurements}
    shared = shared_beginning([one.model.file for one in measurements])
    title = "; ".join([*sorted(names), *([f"models {shared}_*"] if shared else [])])
    columns = ["model", "setting", "p50/p90/p99 ms", "FPS", "first/init ms", "MB"]
    all_valid = all(one.valid for one in measurements)
    table = narrow_table(*columns, *([] if all_valid else [""]), title=title)
    for one in measurements:
        if one.timing is None:
            continue
        timing = one.timing
        middle = f"{timing.mean:.2f} mean" if timing.p50 is None else f"{timing.p50:.2f}"
        table.add_row(
            without_beginning(one.model.file, shared),
            one.settings.words,
            f"{middle} / {figure(timing.p90)} / {figure(timing.p99)}",
            f"{timing.fps:.1f}",
            f"{timing.first:.1f} / {timing.init:.1f}",
            figure(one.peak_memory_mb, 1),
            *([] if all_valid else ["" if one.valid else "INVALID"]),
        )
    return table


def problem_lines(measurements: Sequence[Measurement]) -> list[str]:
    """Why figures are not to be trusted, a line each."""
    found = [(one.model.file, one.settings.words, one.problems) for one in measurements if not one.valid]
    return [f"INVALID: {file}, {setting}: {'; '.join(problems)}" for file, setting, problems in found]


def cost_table(measurements: Sequence[Measurement]) -> Table:
    """Instructions of emulated cores: one row a model, one column a core. No times: they mean nothing."""
    cores = {one.machine.name: one.runner.runtime for one in measurements if one.instructions}
    heads = (f"{core}\n{runtime}\nM instructions" for core, runtime in cores.items())
    table = narrow_table("model", "KB", *heads)
    rows: dict[str, dict[str, Measurement]] = defaultdict(dict)
    for one in measurements:
        if one.instructions is not None:
            rows[one.model.file][one.machine.name] = one
    for model, found in rows.items():
        size = next(iter(found.values())).model.bytes / 1e3
        table.add_row(model, f"{size:.0f}", *(_millions(found.get(core)) for core in cores))
    return table


def operator_table(measurement: Measurement, most: int = 12) -> Table:
    """The kinds of operators that cost most, with their part of the instructions."""
    kinds = shares_by_kind(measurement.operators)
    total = measurement.instructions.count / 1e6 if measurement.instructions else None
    title = f"{measurement.model.file} on {measurement.machine.name}, {measurement.runner.runtime}"
    table = Table("operator", "times", "share", *(["M instructions"] if total else []), title=title)
    for kind, count, share in kinds[:most]:
        row = [kind, str(count), f"{share:.1%}"]
        table.add_row(*row, *([f"{share * total:.2f}"] if total else []))
    return table


def shares_by_kind(operators: Sequence[OperatorShare]) -> list[tuple[str, int, float]]:
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
    table = Table("stage of a frame", "mean ms", "share", title=measurement.model.file)
    for stage, milliseconds in measurement.stages_ms.items():
        table.add_row(stage, f"{milliseconds:.2f}", f"{milliseconds / total:.0%}" if total else "")
    if total:
        table.add_row("frames a second", f"{1000 / total:.1f}", "end to end")
    return table


def figure(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where it is unknown."""
    return "-" if value is None else f"{value:.{digits}f}"


def _millions(one: Measurement | None) -> str:
    if one is None or one.instructions is None:
        return "-"
    found, took = one.instructions, one.instructions.delegated
    parts = "" if took is None else f"\n{took.taken} of {took.operators} operators in {took.parts} parts"
    return f"{found.count / 1e6:.2f}{'' if one.valid else ' (unstable)'}{parts}"
