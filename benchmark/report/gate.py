"""Hold a report against a baseline: a regression fails, and so does an improvement nobody explained."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

from benchmark.accuracy.tables import DASH, TextTable
from benchmark.report.rows import ArtefactRow, Report
from model.evaluation.metrics import METRICS
from model.foundation.errors import GateError, one_line

AMOUNTS = {"bytes": 2.0, "cost": 5.0}
"""How far the size of a file, and instructions or latency ratios, may lie from the baseline, in percent."""

OPERATORS = "operators"
"""Budget that is not 0: the census of operators may change."""


def permitted(budgets: Mapping[str, float]) -> dict[str, float]:
    """The budget of everything that is gated: a baseline's own, or else what each metric permits.

    Returns:
        Metric -> points (hundredths) that it and its drift may move; AMOUNTS in percent; OPERATORS.

    Raises:
        ValueError: a budget of something unknown, or below 0.
    """
    shares = {name: metric.permitted_drift for name, metric in METRICS.items()}
    points = {name: 100 * share for name, share in shares.items() if share is not None}
    limits = points | AMOUNTS | {OPERATORS: 0.0}
    if unknown := sorted(set(budgets) - set(limits)):
        raise ValueError(f"unknown budget(s) {', '.join(unknown)}; expected {', '.join(limits)}")
    if below := [name for name, limit in budgets.items() if limit < 0]:
        raise ValueError(f"budget {below[0]}: expected a number of at least 0, found {budgets[below[0]]}")
    return {**limits, **budgets}


@dataclass(frozen=True)
class FileFigures:
    """What is gated of one file.

    Attributes:
        bytes: Its size.
        operators: Kind -> how often it stands in the file.
        metrics: Metric -> set -> share in 0..1.
        drift: Metric -> set -> difference to the float file's.
        cost: Instructions as they are, and latencies as ratios to another file's on the same machine.
    """

    bytes: int
    operators: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    drift: dict[str, dict[str, float]] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """The figures that a report is held against.

    Attributes:
        files: File name -> figures.
        budgets: What may move further, or less far, than `permitted` says by itself.
    """

    files: dict[str, FileFigures]
    budgets: dict[str, float] = field(default_factory=dict)
    format: Literal["featherface-baseline"] = "featherface-baseline"
    version: Literal[2] = 2

    def __post_init__(self) -> None:
        permitted(self.budgets)


@dataclass(frozen=True)
class Check:
    """One figure held against its baseline.

    Attributes:
        file, figure: What was checked.
        baseline, found: As text.
        verdict: "ok", "worse", "better", "changed", "missing" or "new".
        limit: The budget in words.
    """

    file: str
    figure: str
    baseline: str
    found: str
    verdict: str
    limit: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is to be explained."""
        return self.verdict == "ok"


def baseline_of(report: Report, budgets: Mapping[str, float]) -> Baseline:
    """The figures of a report as a baseline."""
    return Baseline({one.file: _figures(report, one) for one in report.artefacts}, dict(budgets))


def _figures(report: Report, artefact: ArtefactRow) -> FileFigures:
    metrics: dict[str, dict[str, float]] = {}
    drift: dict[str, dict[str, float]] = {}
    for name in (name for name, metric in METRICS.items() if metric.permitted_drift is not None):
        for set_name in report.sets:
            evaluation, change = report.evaluation(artefact, set_name), report.drift(artefact, set_name)
            value = evaluation.metrics.get(name) if evaluation else None
            row = change.of(name) if change else None
            if value is not None:
                metrics.setdefault(name, {})[set_name] = round(value, 6)
            if row is not None and row.difference is not None:
                drift.setdefault(name, {})[set_name] = round(row.difference, 6)
    costs = _costs(report, artefact)
    return FileFigures(artefact.bytes, artefact.record.operators, metrics, drift, costs)


def _costs(report: Report, artefact: ArtefactRow) -> dict[str, float]:
    """Instructions as they are; latencies as ratios to the first file timed there: machines differ."""
    figures: dict[str, float] = {}
    for one in report.costs_of(artefact):
        where = f"{one.machine}, {one.setting}"
        if one.instructions is not None:
            figures[f"instructions on {where}"] = float(one.instructions)
        if one.p50_ms is not None and one.valid:
            there = [other for other in report.costs if f"{other.machine}, {other.setting}" == where]
            first = next(other for other in there if other.p50_ms and other.valid)
            if first.model_sha256 != one.model_sha256 and first.p50_ms:
                figures[f"latency ratio to {first.model} on {where}"] = round(one.p50_ms / first.p50_ms, 4)
    return figures


def check(report: Report, baseline: Baseline) -> list[Check]:
    """Hold every figure of the baseline and of the report against one another.

    A metric that the baseline does not know yet is not checked: it enters with the next update.
    """
    found = {one.file: _figures(report, one) for one in report.artefacts}
    checks = [Check(name, "file", DASH, "there", "new") for name in found if name not in baseline.files]
    for name, figures in baseline.files.items():
        if name in found:
            checks += _check_file(name, figures, found[name], permitted(baseline.budgets))
        else:
            checks.append(Check(name, "file", "there", DASH, "missing"))
    return checks


def _check_file(
    name: str, old: FileFigures, new: FileFigures, limits: Mapping[str, float]
) -> Iterator[Check]:
    yield _amount(name, "bytes", (old.bytes, new.bytes), limits["bytes"])
    both = (("{} on {}", old.metrics, new.metrics), ("drift of {} on {}", old.drift, new.drift))
    for title, before, after in both:
        for key, figures in before.items():
            metric = METRICS[key]
            for where in dict.fromkeys([*figures, *after.get(key, ())]):
                pair = figures.get(where), after.get(key, {}).get(where)
                what = title.format(metric.title, where)
                yield _share(name, what, pair, limits[key], metric.higher_is_better)
    for where in dict.fromkeys([*old.cost, *new.cost]):
        yield _amount(name, where, (old.cost.get(where), new.cost.get(where)), limits["cost"])
    if not limits[OPERATORS]:
        yield from _operators(name, old.operators, new.operators)


_Pair = tuple[float | None, float | None]


def _absent(name: str, figure: str, pair: _Pair) -> Check | None:
    """A check that fails because one side has no such figure; None where both have."""
    old, new = (DASH if one is None else f"{one:g}" for one in pair)
    if pair[0] is None:
        return Check(name, figure, old, new, "new")
    return Check(name, figure, old, new, "missing") if pair[1] is None else None


def _share(name: str, figure: str, pair: _Pair, limit: float, higher_is_better: bool) -> Check:
    """A share in 0..1; `limit` in points."""
    old, new = pair
    if old is None or new is None:
        return _absent(name, figure, pair) or Check(name, figure, DASH, DASH, "missing")
    change = 100 * (new - old)
    better = (change > 0) == higher_is_better
    verdict = "ok" if abs(change) <= limit + 1e-9 else "better" if better else "worse"
    text = f"{100 * new:.2f} ({change:+.2f})"
    return Check(name, figure, f"{100 * old:.2f}", text, verdict, f"± {limit:g} points")


def _amount(name: str, figure: str, pair: _Pair, limit: float) -> Check:
    """An amount, less is better; `limit` in percent of the baseline."""
    old, new = pair
    if old is None or new is None:
        return _absent(name, figure, pair) or Check(name, figure, DASH, DASH, "missing")
    change = 100 * (new - old) / old if old else float(new != old) * 100
    verdict = "ok" if abs(change) <= limit + 1e-9 else "worse" if change > 0 else "better"
    return Check(name, figure, f"{old:,.10g}", f"{new:,.10g} ({change:+.1f} %)", verdict, f"± {limit:g} %")


def _operators(name: str, old: Mapping[str, int], new: Mapping[str, int]) -> list[Check]:
    changed = [kind for kind in sorted({*old, *new}) if old.get(kind, 0) != new.get(kind, 0)]
    if not changed:
        total = str(sum(new.values()))
        return [Check(name, "operators", total, total, "ok", "the same")]
    return [
        Check(name, f"operators {kind}", str(old.get(kind, 0)), str(new.get(kind, 0)), "changed", "the same")
        for kind in changed
    ]


def require_passed(checks: Sequence[Check]) -> None:
    """Stop if a figure left its budget.

    Raises:
        GateError: at least one did; the first is named.
    """
    failed = [one for one in checks if not one.passed]
    if failed:
        first = failed[0]
        raise GateError(
            f"{len(failed)} of {len(checks)} checks: {first.file}, {first.figure}: {first.verdict}, "
            f"{first.baseline} -> {first.found}; if it is meant, run again with --update and say why"
        )
    print(f"{len(checks)} checks passed", file=sys.stderr)


def markdown(checks: Sequence[Check]) -> str:
    """The checks that failed as a Markdown table, and how many passed."""
    failed = [one for one in checks if not one.passed]
    counted = f"{len(checks) - len(failed)} of {len(checks)} checks passed."
    if not failed:
        return f"## Gate passed\n\n{counted}\n"
    columns = ("file", "figure", "baseline", "found", "limit", "verdict")
    rows = [(one.file, one.figure, one.baseline, one.found, one.limit or DASH, one.verdict) for one in failed]
    table = TextTable(columns, tuple(rows), (False, False, True, True, False, False))
    return f"## Gate failed\n\n{counted}\n\n{table.markdown()}\n"


def junit(checks: Sequence[Check]) -> str:
    """The checks as JUnit XML: a test case each."""
    failed = sum(not one.passed for one in checks)
    suite = ElementTree.Element("testsuite", name="gate", tests=str(len(checks)), failures=str(failed))
    for one in checks:
        case = ElementTree.SubElement(
            suite, "testcase", classname=one_line(one.file), name=one_line(one.figure)
        )
        if not one.passed:
            message = f"{one.verdict}: {one.baseline} -> {one.found} {one.limit}".strip()
            ElementTree.SubElement(case, "failure", message=one_line(message), type=one.verdict)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
