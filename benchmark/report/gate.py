"""`gate`: hold a report against a baseline: fails on a regression, and on an improvement nobody explained."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmark.report.rows import ArtefactRow, Report
from benchmark.report.tables import DASH
from model.foundation.artifact import read_json, replacing, write_json
from model.foundation.errors import GateError, InputError

FORMAT, VERSION = "featherface-baseline", 1


@dataclass(frozen=True)
class Budgets:
    """How far a figure may lie from its baseline, in either direction.

    Attributes:
        ap_points: AP, in points (hundredths).
        drift_points: Drift of AP against the float file, in points.
        size_percent: Bytes of the file.
        cost_percent: Instructions, and latencies as ratios between files of one machine and setting.
        operators: Whether the census of operators must be the same.
    """

    ap_points: float = 0.5
    drift_points: float = 0.5
    size_percent: float = 2.0
    cost_percent: float = 5.0
    operators: bool = True

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Budgets:
        """Read budgets; fields that are absent keep their defaults.

        Raises:
            InputError: an unknown field, or a value that is not a number of at least 0.
        """
        known = [one.name for one in fields(cls)]
        if unknown := sorted(set(value) - set(known)):
            raise InputError(f"unknown budget(s) {', '.join(unknown)}; expected {', '.join(known)}")
        for name, limit in value.items():
            if not isinstance(limit, (int, float)) or limit < 0:
                raise InputError(f"budget {name}: expected a number of at least 0, found {limit!r}")
        return cls(**value)


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


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `python -m benchmark`."""
    command = subparsers.add_parser(
        "gate",
        help="fail when a report differs from a baseline by more than its budgets",
        description=__doc__,
    )
    command.add_argument("--baseline", type=Path, required=True, help="baseline (JSON)")
    command.add_argument("--report", type=Path, required=True, help="report.json of `report`")
    command.add_argument(
        "--update",
        action="store_true",
        help="write the report's figures as the new baseline (its budgets are kept)",
    )
    command.add_argument("--markdown", type=Path, help="write the differences as Markdown")
    command.add_argument("--junit", type=Path, help="write the checks as JUnit XML")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check, write, and fail if a figure left its budget.

    Raises:
        GateError: at least one did.
    """
    report = Report.from_json(read_json(options.report), str(options.report))
    if options.update:
        old = read_json(options.baseline) if options.baseline.is_file() else {}
        write_json(options.baseline, baseline_of(report, Budgets.from_json(old.get("budgets", {}))))
        print(
            f"{options.baseline}: {len(report.artefacts)} file(s) are the new baseline; commit it and say why"
        )
        return 0
    checks = check(report, read_json(options.baseline))
    text = markdown(checks)
    for path, content in ((options.markdown, text), (options.junit, junit(checks))):
        if path is not None:
            with replacing(path) as temporary:
                temporary.write_text(content, encoding="utf-8")
    print(text)
    failed = [one for one in checks if not one.passed]
    if failed:
        first = failed[0]
        raise GateError(
            f"{len(failed)} of {len(checks)} checks: {first.file}, {first.figure}: {first.verdict}, "
            f"{first.baseline} -> {first.found}; if it is meant, run again with --update and say why"
        )
    print(f"{len(checks)} checks passed", file=sys.stderr)
    return 0


def baseline_of(report: Report, budgets: Budgets) -> dict[str, Any]:
    """The figures of a report that a gate checks, and the budgets, as JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "budgets": asdict(budgets),
        "files": {one.file: _figures(report, one) for one in report.artefacts},
    }


def _figures(report: Report, artefact: ArtefactRow) -> dict[str, Any]:
    ap, drift = {}, {}
    for name in report.sets:
        evaluation, change = report.evaluation(artefact, name), report.drift(artefact, name)
        if evaluation is not None and evaluation.ap50 is not None:
            ap[name] = round(evaluation.ap50, 6)
        if change is not None and change.rows[0].difference is not None:
            drift[name] = round(change.rows[0].difference, 6)
    return {
        "bytes": artefact.bytes,
        "operators": artefact.operators,
        "ap50": ap,
        "drift": drift,
        "cost": _costs(report, artefact),
    }


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


def check(report: Report, baseline: dict[str, Any]) -> list[Check]:
    """Hold every figure of the baseline and of the report against one another.

    Raises:
        InputError: the baseline is none, or one of another version.
    """
    if baseline.get("format") != FORMAT or baseline.get("version") != VERSION:
        other = f"{baseline.get('format')} {baseline.get('version')}"
        raise InputError(f"expected a {FORMAT} of version {VERSION}, found {other}; make one with --update")
    budgets = Budgets.from_json(baseline.get("budgets", {}))
    expected: dict[str, Any] = baseline.get("files", {})
    found = {one.file: _figures(report, one) for one in report.artefacts}
    checks = [Check(name, "file", DASH, "there", "new") for name in found if name not in expected]
    for name, figures in expected.items():
        if name not in found:
            checks.append(Check(name, "file", "there", DASH, "missing"))
        else:
            checks += _check_file(name, figures, found[name], budgets)
    return checks


def _check_file(name: str, old: dict[str, Any], new: dict[str, Any], budgets: Budgets) -> list[Check]:
    size = f"± {budgets.size_percent:g} %"
    checks = [_relative(name, "bytes", (old["bytes"], new["bytes"]), budgets.size_percent, size)]
    for key, limit in (("ap50", budgets.ap_points), ("drift", budgets.drift_points)):
        title = "AP50 on" if key == "ap50" else "drift of AP50 on"
        points = f"± {limit:g} points"
        for where in dict.fromkeys([*old[key], *new[key]]):
            pair = old[key].get(where), new[key].get(where)
            checks.append(_absolute(name, f"{title} {where}", pair, limit, points))
    cost = f"± {budgets.cost_percent:g} %"
    for where in dict.fromkeys([*old["cost"], *new["cost"]]):
        pair = old["cost"].get(where), new["cost"].get(where)
        checks.append(_relative(name, where, pair, budgets.cost_percent, cost))
    if budgets.operators:
        checks += _operators(name, old["operators"], new["operators"])
    return checks


_Pair = tuple[float | None, float | None]


def _absent(name: str, figure: str, pair: _Pair) -> Check | None:
    if pair[0] is None:
        return Check(name, figure, DASH, f"{pair[1]:g}", "new")
    return Check(name, figure, f"{pair[0]:g}", DASH, "missing") if pair[1] is None else None


def _absolute(name: str, figure: str, pair: _Pair, limit: float, words: str) -> Check:
    """Shares in 0..1, more is better; `limit` in points."""
    old, new = pair
    if old is None or new is None:
        return _absent(name, figure, pair) or Check(name, figure, DASH, DASH, "missing")
    change = 100 * (new - old)
    verdict = "ok" if abs(change) <= limit + 1e-9 else "better" if change > 0 else "worse"
    return Check(name, figure, f"{100 * old:.2f}", f"{100 * new:.2f} ({change:+.2f})", verdict, words)


def _relative(name: str, figure: str, pair: _Pair, limit: float, words: str) -> Check:
    """Amounts, less is better; `limit` in percent of the baseline."""
    old, new = pair
    if old is None or new is None:
        return _absent(name, figure, pair) or Check(name, figure, DASH, DASH, "missing")
    change = 100 * (new - old) / old if old else float(new != old) * 100
    verdict = "ok" if abs(change) <= limit + 1e-9 else "worse" if change > 0 else "better"
    return Check(name, figure, f"{old:,.10g}", f"{new:,.10g} ({change:+.1f} %)", verdict, words)


def _operators(name: str, old: dict[str, int], new: dict[str, int]) -> list[Check]:
    changed = [kind for kind in sorted({*old, *new}) if old.get(kind, 0) != new.get(kind, 0)]
    if not changed:
        total = str(sum(new.values()))
        return [Check(name, "operators", total, total, "ok", "the same")]
    return [
        Check(name, f"operators {kind}", str(old.get(kind, 0)), str(new.get(kind, 0)), "changed", "the same")
        for kind in changed
    ]


def markdown(checks: Sequence[Check]) -> str:
    """The checks that failed as a Markdown table, and how many passed."""
    failed = [one for one in checks if not one.passed]
    counted = f"{len(checks) - len(failed)} of {len(checks)} checks passed."
    if not failed:
        return f"## Gate passed\n\n{counted}\n"
    lines = [
        "| file | figure | baseline | found | limit | verdict |",
        "| :--- | :--- | ---: | ---: | :--- | :--- |",
    ]
    for one in failed:
        cells = (one.file, one.figure, one.baseline, one.found, one.limit or DASH, f"**{one.verdict}**")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "## Gate failed\n\n" + counted + "\n\n" + "\n".join(lines) + "\n"


def junit(checks: Sequence[Check]) -> str:
    """The checks as JUnit XML: a test case each."""
    failed = sum(not one.passed for one in checks)
    suite = ElementTree.Element("testsuite", name="gate", tests=str(len(checks)), failures=str(failed))
    for one in checks:
        case = ElementTree.SubElement(suite, "testcase", classname=one.file, name=one.figure)
        if not one.passed:
            message = f"{one.verdict}: {one.baseline} -> {one.found} {one.limit}".strip()
            ElementTree.SubElement(case, "failure", message=message, type=one.verdict)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
