"""The report in its three forms, and the gate in both directions."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.__main__ import main
from benchmark.accuracy.drift import ChangedImage, Drift, DriftRow
from benchmark.accuracy.evaluation import CurvePoints, Evaluation, HeightRecall
from benchmark.report.build import float_pairs, write_report
from benchmark.report.gate import Baseline, baseline_of, check
from benchmark.report.page import Picture, markdown, page
from benchmark.report.plots import GLYPHS, MARKERS, Mark
from benchmark.report.rows import (
    ArtefactRow,
    CalibrationFile,
    CostRow,
    FileRecord,
    Layers,
    Report,
    Source,
    artefact_row,
    read_costs,
    read_layers,
)
from benchmark.report.tables import concerns
from convert.difference import Difference
from model.foundation.artifact import Artifact
from model.foundation.errors import InputError
from model.foundation.records import from_json, read_record, to_json
from model.networks import spec_of
from tests.conftest import Converted

LATENCY = "latency ratio to net_64x64_float32.tflite on laptop, 1 thread(s), xnnpack"


def artefact(precision: str, bytes_: int = 400_000, **record: Any) -> ArtefactRow:
    made = FileRecord(
        sha256=precision.ljust(64, "0"),
        precision=precision,
        operators={"CONV_2D": 10, "ADD": 3},
        made_from={"checkpoint": Source("net.pth", "c" * 64)},
    )
    name = f"net_64x64_{precision}.tflite"
    return ArtefactRow(name, made.sha256, bytes_, "net", 64, 64, replace(made, **record))


def evaluation(row: ArtefactRow, ap50: float) -> Evaluation:
    return Evaluation(
        model=row.file,
        model_sha256=row.sha256,
        set="a <set>",
        protocol="letterbox to 64x64",
        images=5,
        faces=10,
        ignored=1,
        score_threshold=0.5,
        metrics={"ap50": ap50, "ap50_95": 0.4, "precision": 0.8, "recall": None},
        recall_by_height={"under 16": HeightRecall(0, 0, 0), "over 64": HeightRecall(10, 9, 8)},
        curve=CurvePoints([0.9, 0.5], [1.0, 0.8], [0.5, 0.9]),
        wider={"easy": 0.9, "medium": 0.8, "hard": None},
    )


def drift(reference: ArtefactRow, candidate: ArtefactRow, difference: float) -> Drift:
    figures = 0.9, 0.9 + difference, difference, difference - 0.01, difference + 0.01
    row = DriftRow("AP50", 10, *figures, metric="ap50")
    return Drift(
        reference=reference.file,
        reference_sha256=reference.sha256,
        candidate=candidate.file,
        candidate_sha256=candidate.sha256,
        set="a <set>",
        protocol="letterbox to 64x64",
        truth="labels",
        images=5,
        rows=[row],
        resamples=10,
        seed=0,
        threshold=0.5,
        shown=9,
        lost=1,
        gained=0,
        moved=2,
        lost_true=1,
        gained_true=0,
        median_iou=0.95,
        median_score_change=-0.01,
        median_landmark_shift=None,
        worst=[ChangedImage("x.jpg", 1, 0, 2, 1.3)],
    )


@pytest.fixture
def report() -> Report:
    rows = [artefact("float32", 1_000_000), artefact("int8")]
    costs = [
        CostRow(rows[0].file, rows[0].sha256, "laptop", "1 thread(s), xnnpack", 10.0, None),
        CostRow(rows[1].file, rows[1].sha256, "laptop", "1 thread(s), xnnpack", 5.0, 45_000_000),
        CostRow(rows[1].file, None, "4x A53", "predicted", None, None, 25.0, 20.0, 30.0),
    ]
    return Report(
        artefacts=rows,
        evaluations=[evaluation(rows[0], 0.9), evaluation(rows[1], 0.89)],
        drifts=[drift(rows[0], rows[1], -0.01)],
        costs=costs,
        layers=[Layers("SQNR", ["name", "sqnr_db"], [["conv", 12.5], ["add", 30.0]])],
        calibration=[CalibrationFile("m.json", "d" * 64, 128, "64x64")],
        versions={"torch": "2"},
        machine={"cores": "2"},
        commands=["python -m benchmark report"],
        made_at="2026-01-01T00:00:00+00:00",
    )


def test_json_is_read_back(report: Report, tmp_path: Path) -> None:
    write_report(tmp_path, report, [])
    assert read_record(tmp_path / "report.json", Report) == report


@pytest.mark.parametrize("change", [{"format": "other"}, {"version": 99}, {"artefacts": [{"file": "x"}]}])
def test_another_json_is_refused(report: Report, change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="r.json"):
        from_json(Report, {**to_json(report), **change}, "r.json")


def test_an_older_report_and_one_of_tomorrow_are_read(report: Report) -> None:
    """A metric that is gone, one that is not there yet, fields of either side."""
    value = to_json(report)
    for row in value["evaluations"]:
        del row["metrics"]["precision"], row["curve"], row["images_per_second"]
        row["metrics"]["a_metric_that_nobody_knows"] = 0.5
    value["drifts"][0]["rows"].append(
        {**value["drifts"][0]["rows"][0], "metric": "a_metric_that_nobody_knows"}
    )
    value["a_field_of_tomorrow"] = {"x": 1}
    del value["layers"], value["machine"], value["artefacts"][0]["record"]["tools"]
    read = from_json(Report, value, "r.json")
    assert read.evaluations[0].headline == 0.9
    assert all(one.passed for one in check(read, baseline_of(report, {})))
    assert "89.00" in page(read, [])


class _Page(HTMLParser):
    """Collects what a page refers to, and checks that its elements close."""

    EMPTY = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.unlabelled = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        self.unlabelled += tag == "img" and not values.get("alt")
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_carries_everything_with_it(report: Report, tmp_path: Path) -> None:
    picture = Picture(
        "data:image/jpeg;base64,AAAA", "x.jpg (changed most)", report.artefacts[1].sha256, "a <set>"
    )
    write_report(tmp_path, report, [picture])
    html = (tmp_path / "report.html").read_text()
    parsed = _Page()
    parsed.feed(html)
    assert parsed.open == []
    assert parsed.unlabelled == 0
    outside = [one for one in parsed.references if not one.startswith(("data:", "#"))]
    assert not outside, "opens from disk without a network"
    assert "@import" not in html
    assert not re.search(r"url\((?!data:)", html)
    anchors = {one[1:] for one in parsed.references if one.startswith("#")}
    assert all(f'id="{name}"' in html for name in anchors)
    for words in (
        "net_64x64_int8.tflite",
        "89.00",
        "-1.00 (-2.00 .. +0.00)",
        "5.00 ms, 45.0 M instr.",
        "25.0 (20.0 .. 30.0)",
        "a <set>",
        "x.jpg (changed most)",
        "m.json: 128 images",
        "torch 2",
        "python -m benchmark report",
        "c" * 12,
    ):
        assert words in parsed.text, words
    assert html.count("data:image/svg+xml") == 4, "Pareto, precision-recall, heights, layers"


def test_markdown_has_the_same_figures(report: Report, tmp_path: Path) -> None:
    write_report(tmp_path, report, [])
    text = (tmp_path / "report.md").read_text()
    for words in (
        "| net_64x64_int8.tflite | – | 64x64 | int8 | 391 | 89.00 |",
        "1 lost (1 of them labelled)",
        "hard",
    ):
        assert words in text
    table = text.split("## Files")[1].split("##")[0].splitlines()
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table if line}
    assert len(widths) == 1


def test_a_report_without_anything_optional_is_a_page(tmp_path: Path) -> None:
    row = artefact("unknown", operators={}, made_from={})
    write_report(tmp_path, Report([row], [evaluation(row, 0.5)], []), [])
    parsed = _Page()
    parsed.feed((tmp_path / "report.html").read_text())
    assert parsed.open == []


def test_what_is_bad_stands_out(report: Report) -> None:
    assert concerns(report) == {}
    kept = {"torch": Difference(24, {}, 90, 0, 0, faces=34, faces_kept=0, faces_found=453)}
    dead = artefact("dynamic", parity=kept)
    planted = replace(
        report,
        artefacts=[*report.artefacts, dead],
        drifts=[drift(report.artefacts[0], report.artefacts[1], -0.03)],
        costs=[replace(report.costs[0], valid=False)],
    )
    assert concerns(planted) == {
        "net_64x64_int8.tflite": ("look at it", "AP50 -3.00 (-4.00 .. -2.00) points on a <set>"),
        "net_64x64_dynamic.tflite": ("dead", "keeps 0 of 34 faces and shows 453 in all"),
    }
    html = page(planted, [])
    rows = re.findall(r'<tr class="(\w+)">.*?</b>(\S+?)</td>', html)
    assert ("dead", "net_64x64_dynamic.tflite") in rows
    assert ("look", "net_64x64_int8.tflite") in rows
    assert 'class="n invalid">10.00 ms (invalid)' in html
    assert "- dead: net_64x64_dynamic.tflite: keeps 0 of 34" in markdown(planted)


def test_32_files_are_told_apart_by_colour_and_mark() -> None:
    seen = {(one.colour, one.glyph) for one in map(Mark, range(32))}
    assert len(seen) == 32
    assert len(MARKERS) == len(GLYPHS)


def test_each_file_is_held_against_the_float_file_of_its_own_weights() -> None:
    mine = {"made_from": {"checkpoint": Source("mine.pth", "m" * 64)}}
    rows = [artefact("float32"), artefact("int8"), artefact("float32", **mine), artefact("int8", **mine)]
    orphan = artefact("int8", made_from={"checkpoint": Source("tuned.pth", "t" * 64)})
    assert float_pairs([*rows, orphan]) == [(0, 1), (2, 3), (0, 4)]
    assert float_pairs([rows[1], orphan]) == []
    assert float_pairs([]) == []


def test_a_report_of_real_files(converted: Converted, demo_set: Path, tmp_path: Path) -> None:
    half = demo_set / "evaluation"
    command = ["report", "--model", str(converted.onnx), str(converted.float32), "--output", str(tmp_path)]
    command += [
        "--set",
        "demo",
        str(half / "images"),
        str(half / "label.txt"),
        "--limit",
        "6",
        "--resamples",
        "10",
    ]
    assert main([*command, "--processes", "1", "--no-resume", "--quiet"]) == 0
    report = read_record(tmp_path / "report.json", Report)
    assert [one.file for one in report.artefacts] == [converted.onnx.name, converted.float32.name]
    assert report.artefacts[1].record.operators["CONV_2D"] > 10
    (only,) = report.drifts
    assert (only.reference, only.candidate) == (converted.float32.name, converted.onnx.name)
    assert abs(only.rows[0].difference or 0) < 2e-3
    assert "data:image/jpeg" in (tmp_path / "report.html").read_text()


def test_a_file_that_changed_since_its_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"one")
    Artifact.save(path, sources={}, precision="int8")
    assert artefact_row(path, spec_of("featherface_v2", 64, 64)).record.precision == "int8"
    path.write_bytes(b"two")
    with pytest.raises(InputError, match=r"has changed since a\.tflite\.json"):
        artefact_row(path, spec_of("featherface_v2", 64, 64))


def test_costs_never_show_emulated_time(tmp_path: Path) -> None:
    one: dict[str, Any] = {
        "machine": {"kind": "emulated-arm64", "name": "arm64:a53", "identity": "a53"},
        "runner": {"name": "litert_runner"},
        "model": {"file": "a.tflite", "bytes": 1, "sha256": "0"},
        "settings": {"threads": 1, "delegate": "xnnpack"},
        "timing": {"runs": 9, "seconds": 1.0, "init": 1.0, "first": 1.0, "mean": 124.0, "std": 1.0,
                   "minimum": 120.0, "maximum": 130.0, "p50": 123.0, "p90": None, "p99": None},
        "instructions": {"count": 7, "runs": 5, "spread": 0.0, "method": "icount"},
    }  # fmt: skip
    host = copy.deepcopy(one)
    host["machine"] = {"kind": "host", "name": "host", "identity": "host"}
    host["problems"] = ["too hot"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"measurements": [one, host]}))
    emulated, real = read_costs([path])
    assert (emulated.p50_ms, emulated.instructions) == (None, 7)
    assert (real.p50_ms, real.valid) == (123.0, False)
    path.write_text(json.dumps({"latency_ms": {"a" * 64: 4.5}, "runs": 20, "threads": 1}))
    (here,) = read_costs([path])
    assert (here.machine, here.model_sha256, here.p50_ms) == ("this computer", "a" * 64, 4.5)
    path.write_text(json.dumps({"rows": []}))
    with pytest.raises(InputError, match="found none"):
        read_costs([path])


def test_tables_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "compare.json"
    path.write_text(
        json.dumps({"title": "T", "layers": [{"name": "a", "sqnr_db": 1.5, "histogram": [1, 2]}]})
    )
    assert read_layers(path) == Layers("T", ["name", "sqnr_db"], [["a", 1.5]])
    path.write_text(json.dumps({"layers": []}))
    with pytest.raises(InputError, match="list of objects"):
        read_layers(path)


def changed(report: Report, change: Callable[[dict[str, Any]], None]) -> Report:
    value = to_json(report)
    change(value)
    return from_json(Report, value, "changed")


def _set(path: str, new: Any) -> Callable[[dict[str, Any]], None]:
    def change(value: Any) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in steps:
            value = value[step]
        value[last] = new

    return change


def test_a_report_passes_its_own_baseline(report: Report) -> None:
    checks = check(report, baseline_of(report, {}))
    assert len(checks) >= 9
    assert all(one.passed for one in checks)


@pytest.mark.parametrize(
    ("path", "new", "figure", "verdict"),
    [
        ("evaluations.1.metrics.ap50", 0.88, "AP50 on a <set>", "worse"),
        ("evaluations.1.metrics.ap50", 0.90, "AP50 on a <set>", "better"),
        ("evaluations.1.metrics.ap50", None, "AP50 on a <set>", "missing"),
        ("drifts.0.rows.0.difference", -0.02, "drift of AP50 on a <set>", "worse"),
        ("drifts.0.rows.0.difference", 0.0, "drift of AP50 on a <set>", "better"),
        ("artefacts.1.bytes", 420_000, "bytes", "worse"),
        ("artefacts.1.bytes", 380_000, "bytes", "better"),
        (
            "artefacts.1.record.operators",
            {"CONV_2D": 10, "ADD": 3, "QUANTIZE": 1},
            "operators QUANTIZE",
            "changed",
        ),
        ("costs.1.instructions", 50_000_000, "instructions on laptop, 1 thread(s), xnnpack", "worse"),
        (
            "costs.1.p50_ms",
            6.0,
            LATENCY,
            "worse",
        ),
        (
            "costs.1.p50_ms",
            4.0,
            LATENCY,
            "better",
        ),
    ],
)
def test_what_leaves_its_budget_fails_in_either_direction(
    report: Report, path: str, new: Any, figure: str, verdict: str
) -> None:
    checks = check(changed(report, _set(path, new)), baseline_of(report, {}))
    (failed,) = [one for one in checks if not one.passed]
    assert (failed.file, failed.figure, failed.verdict) == ("net_64x64_int8.tflite", figure, verdict)


def test_what_stays_within_passes(report: Report) -> None:
    baseline = baseline_of(report, {})
    for path, new in (
        ("evaluations.1.metrics.ap50", 0.8949),
        ("artefacts.1.bytes", 405_000),
        ("costs.1.p50_ms", 5.1),
    ):
        assert all(one.passed for one in check(changed(report, _set(path, new)), baseline))


def test_a_machine_twice_as_fast_changes_no_ratio(report: Report) -> None:
    faster = changed(changed(report, _set("costs.0.p50_ms", 5.0)), _set("costs.1.p50_ms", 2.5))
    assert all(one.passed for one in check(faster, baseline_of(report, {})))


def test_files_that_come_and_go_are_said(report: Report) -> None:
    other = changed(report, _set("artefacts.1.file", "renamed.tflite"))
    verdicts = {one.file: one.verdict for one in check(other, baseline_of(report, {})) if not one.passed}
    assert verdicts == {"renamed.tflite": "new", "net_64x64_int8.tflite": "missing"}


def test_the_gate_as_a_command(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_report(tmp_path, report, [])
    files = ["--baseline", str(tmp_path / "baseline.json"), "--report", str(tmp_path / "report.json")]
    outputs = ["--markdown", str(tmp_path / "gate.md"), "--junit", str(tmp_path / "gate.xml")]
    assert main(["gate", *files]) == 2
    assert main(["gate", *files, "--update"]) == 0
    baseline = json.loads((tmp_path / "baseline.json").read_text())
    assert main(["gate", *files, *outputs]) == 0
    assert "Gate passed" in (tmp_path / "gate.md").read_text()
    baseline["files"]["net_64x64_int8.tflite"]["metrics"]["ap50"]["a <set>"] = 0.99
    baseline["budgets"]["ap50"] = 5
    (tmp_path / "baseline.json").write_text(json.dumps(baseline))
    capsys.readouterr()
    assert main(["gate", *files, *outputs]) == 1
    assert capsys.readouterr().err.startswith("gate failed: 1 of ")
    assert (
        "| net_64x64_int8.tflite | AP50 on a &lt;set&gt; | 99.00 | 89.00 (-10.00) | ± 5 points | worse |"
        in (tmp_path / "gate.md").read_text()
    )
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert suite.attrib["failures"] == "1"
    (failure,) = suite.iter("failure")
    assert failure.attrib["type"] == "worse"
    assert main(["gate", *files, "--update"]) == 0
    assert json.loads((tmp_path / "baseline.json").read_text())["budgets"]["ap50"] == 5, "budgets are kept"


@pytest.mark.parametrize("budgets", [{"ap": 1}, {"ap50": -1}, {"bytes": "x"}])
def test_impossible_budgets(report: Report, budgets: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="budget"):
        from_json(Baseline, {**to_json(baseline_of(report, {})), "budgets": budgets}, "baseline.json")
