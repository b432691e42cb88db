"""`report`, `gate` and `summary`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from benchmark.accuracy.commands import Resamples
from benchmark.accuracy.options import ModelOptions, RunOptions, SetOptions
from model.foundation.command_line import flags

Files = Annotated[list[Path], Parameter(consume_multiple=True)]


def report(
    model: flags.Models,
    *,
    set_: Annotated[
        list[tuple[str, Path, Path]],
        Parameter(name="set", help="NAME IMAGES LABELS of a labelled set; may be given several times"),
    ],
    cost: Annotated[Files, Parameter(help="results of `latency`, `predict`, `summary` (JSON)")] = [],
    layers: Annotated[Files, Parameter(help="tables by layer: sensitivities, SQNR (JSON)")] = [],
    calibration: Annotated[
        flags.Calibration, Parameter(help="manifests or ranges of the calibration (JSON)")
    ] = [],
    resamples: Resamples = 1000,
    output: flags.Output = Path("build/report"),
    of: SetOptions = SetOptions(),
    opened: ModelOptions = ModelOptions(),
    how: RunOptions = RunOptions(),
) -> None:
    """Write one page about a set of model files: metrics, drift with intervals, costs, pictures, hashes.

    The folder gets report.html, report.md and report.json; `gate` reads the last.
    """
    from model.foundation.command_line.progress import passing

    with passing("loading what models run on"):
        from benchmark.report.build import Extras, build_report, write_report

    extras = Extras(cost, layers, calibration)
    made, pictures = build_report(model, set_, (of, opened, how), extras, resamples)
    write_report(output, made, pictures)
    print(output / "report.html")


def gate(
    *,
    baseline: Annotated[Path, Parameter(help="baseline (JSON)")],
    report: Annotated[Path, Parameter(help="report.json of `report`")],
    update: Annotated[
        bool, Parameter(help="the report's figures become the baseline (its budgets are kept)")
    ] = False,
    markdown: Annotated[Path | None, Parameter(help="write the differences as Markdown")] = None,
    junit: Annotated[Path | None, Parameter(help="write the checks as JUnit XML")] = None,
) -> None:
    """Fail when a report differs from a baseline by more than its budgets, in either direction.

    An improvement that nobody explained fails as well.
    """
    from benchmark.report import gate as gating
    from benchmark.report.rows import Report
    from model.foundation.artifact import write_text
    from model.foundation.records import read_record, write_record

    found = read_record(report, Report)
    if update:
        budgets = read_record(baseline, gating.Baseline).budgets if baseline.is_file() else {}
        write_record(baseline, gating.baseline_of(found, budgets))
        print(f"{baseline}: {len(found.artefacts)} file(s) are the new baseline; commit it and say why")
        return
    checks = gating.check(found, read_record(baseline, gating.Baseline))
    text = gating.markdown(checks)
    for path, content in ((markdown, text), (junit, gating.junit(checks))):
        if path is not None:
            write_text(path, content)
    print(text)
    gating.require_passed(checks)


def summary(
    model: flags.Models,
    *,
    output: Annotated[flags.Output, Parameter(help="JSON; timings in it are used again")],
) -> None:
    """Show size, parity with PyTorch, faces, host latency and verdict of made files, and which to use.

    Worst errors are those on the demo images: of boxes and landmarks in tenths of an anchor's side, of
    scores as probabilities. Kept: PyTorch's faces (score above 0.5) that the file shows in the same place,
    IoU >= 0.9. The verdict rests on them: good, look at it, or dead.
    """
    from model.foundation.command_line.progress import passing
    from model.foundation.command_line.terminal import console

    with passing("loading what models run on"):
        from benchmark.report.made_files import advice, made_files, made_table

    screen = console(wide=True)
    made = made_files(model, output)
    screen.print(made_table(made).rich())
    screen.print(
        "worst error of boxes and landmarks in tenths of an anchor's side, of scores as\n"
        "probabilities; kept: faces of the demo images that stay in place (IoU >= 0.9);\n"
        "ms: one thread of this computer",
        style="dim",
    )
    for line in advice(made):
        screen.print(line, style="bold", soft_wrap=True)
