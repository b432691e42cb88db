"""What a new metric takes: one file. Every table, drift, report and gate has it then."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmark.__main__ import main
from model.evaluation import metrics
from tests.conftest import Converted

SURE_HITS = '''
"""Share of the labelled faces that are found with a score of at least 0.1."""

from model.evaluation.metrics import Metric


def share(matched, threshold, weights):
    each = 1 if weights is None else weights[matched.face_image]
    counted = (matched.face_score[0] >= 0.1) * each
    return float(counted.sum() / max(1, (each + 0 * counted).sum()))


METRIC = Metric("hits from 0.1", "%", True, 0.01, share)
'''


@pytest.fixture
def one_file_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "sure_hits.py").write_text(SURE_HITS)
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "model.evaluation.metrics.sure_hits", raising=False)


@pytest.mark.usefixtures("one_file_more")
def test_a_metric_is_one_file(
    converted: Converted, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half, report = demo_set / "evaluation", tmp_path / "report" / "report.json"
    files = ["--model", str(converted.float32), str(converted.onnx)]
    labelled = ["--set", "demo", str(half / "images"), str(half / "label.txt")]
    few = ["--limit", "6", "--processes", "1", "--quiet", "--cache", str(tmp_path / "cache")]
    images = ["--images", labelled[2], "--labels", labelled[3]]

    assert main(["evaluate", *files, *images, *few]) == 0
    assert "hits from" in capsys.readouterr().out
    both = ["--reference", files[1], "--candidate", files[2]]
    assert main(["drift", *both, *images, *few, "--resamples", "5"]) == 0
    assert "hits from 0.1" in capsys.readouterr().out

    command = ["report", *files, *labelled, *few, "--resamples", "5", "--output", str(report.parent)]
    assert main(command) == 0
    stored = json.loads(report.read_text())
    assert 0 < stored["evaluations"][0]["metrics"]["sure_hits"] <= 1
    assert "hits from 0.1" in (report.parent / "report.html").read_text()

    baseline = tmp_path / "baseline.json"
    gate = ["gate", "--baseline", str(baseline), "--report", str(report)]
    assert main([*gate, "--update"]) == 0
    assert main(gate) == 0
    stored["evaluations"][0]["metrics"]["sure_hits"] -= 0.02
    report.write_text(json.dumps(stored))
    assert main(gate) == 1
    assert "hits from 0.1 on demo: worse" in capsys.readouterr().err


def test_a_baseline_made_before_a_metric_goes_on_passing(
    converted: Converted, demo_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = demo_set / "evaluation"
    labelled = ["--set", "demo", str(half / "images"), str(half / "label.txt"), "--limit", "2"]
    command = ["report", "--model", str(converted.float32), *labelled, "--processes", "1", "--no-resume"]
    gate = ["--baseline", str(tmp_path / "b.json"), "--report", str(tmp_path / "report.json")]
    assert main([*command, "--quiet", "--output", str(tmp_path)]) == 0
    assert main(["gate", *gate, "--update"]) == 0
    (tmp_path / "sure_hits.py").write_text(SURE_HITS)
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    assert main([*command, "--quiet", "--output", str(tmp_path)]) == 0
    assert main(["gate", *gate]) == 0
