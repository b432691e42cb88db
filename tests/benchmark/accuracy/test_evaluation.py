"""Models on labelled sets, as a user measures them, and the record of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmark.__main__ import main
from benchmark.accuracy.evaluation import Evaluation, HeightRecall
from benchmark.accuracy.tables import accuracy
from model.foundation.records import from_json, read_record, to_json
from model.networks import spec_of
from tests.conftest import EMBEDDED, Converted


def test_evaluate_agrees_between_runtimes(
    converted: Converted, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(converted.float32), str(converted.onnx), str(EMBEDDED)]
    size = ["--network", "featherface_v2", "--size", "96x128"]
    output = tmp_path / "evaluations.json"
    assert main(["evaluate", "--model", *models, *options, *size, "--json", str(output)]) == 0
    found = read_record(output, dict[str, list[Evaluation]])["evaluations"]
    assert [one.model for one in found] == [Path(model).name for model in models]
    assert found[0].protocol == "letterbox to 96x128, score > 0.02, NMS IoU 0.4"
    assert found[0].images == 10
    assert found[0].faces == sum(row.faces for row in found[0].recall_by_height.values())
    aps = [one.headline for one in found]
    assert aps[0] is not None
    assert aps[0] > 0.1, "the embedded network finds faces on the demo set, tiny at 96x128"
    assert aps == pytest.approx([aps[0]] * 3, abs=2e-3)
    assert found[0].curve.recall == sorted(found[0].curve.recall)


def test_the_table_names_protocol_and_figures(
    converted: Converted, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", str(converted.float32), *options, "--no-resume"]) == 0
    out = capsys.readouterr().out
    for words in (
        "10 images",
        "protocol: letterbox to 96x128",
        "AP50",
        "precision",
        "recall under 16",
        "images/s",
    ):
        assert words in out


def evaluation(model: str = "m.tflite", **facts: Any) -> Evaluation:
    known: dict[str, Any] = {"model_sha256": "", "set": "s", "protocol": "p", "images": 3, "faces": 18}
    return Evaluation(model=model, **{**known, "ignored": 0, "score_threshold": 0.5, **facts})


@pytest.mark.parametrize("columns", [60, 100])
def test_the_table_cuts_no_name(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    bands = {band: HeightRecall(9, 5, 4) for band in ("under 16", "16-32")}
    one = evaluation("featherface_v2_640x640_int8_fp16.tflite", recall_by_height=bands)
    Console(width=columns).print(accuracy([one]).rich())
    body = capsys.readouterr().out.split("─")[-1].splitlines()
    assert "".join(line.split()[0] for line in body if line[:1].strip()) == one.model


def test_a_stored_evaluation_outlives_metrics_that_come_and_go() -> None:
    figures = {"ap50": 0.5, "a_metric_that_nobody_knows": 0.25}
    stored = {**to_json(evaluation()), "metrics": figures, "a_field_of_tomorrow": [1]}
    del stored["recall_by_height"], stored["curve"]
    read = from_json(Evaluation, stored, "stored.json")
    assert read.metrics == figures
    (row,) = accuracy([read]).rows
    assert row[:3] == ("m.tflite", "50.00", "–"), "AP50:95 was not measured then"


def test_a_spec_that_contradicts_its_file_is_refused(
    converted: Converted, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(spec_of("featherface_v2", 128, 96).to_json()))
    assert main(["evaluate", "--model", str(converted.float32), *options, "--spec", str(spec)]) == 2
    assert "its spec says one input of shape [1, 128, 96, 3]" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--size", "97"]])
def test_bad_numbers_exit_with_2(
    options: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--model", str(EMBEDDED), "--network", "featherface_v2", "--size", "96", *options]
    assert main([*command, *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_checkpoint_does_not_say_what_it_is(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--model", str(EMBEDDED), *options]) == 2
    assert "give --network and --size" in capsys.readouterr().err
