"""Predictions: the arithmetic, their errors, and what cannot be predicted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchmark.__main__ import main
from benchmark.adb.facts import MachineFacts
from benchmark.devices.machine import Instructions, Runner
from benchmark.devices.results import Measurement, ModelFile, Setting
from benchmark.prediction import cycles as prediction
from benchmark.prediction.cycles import (
    LATENCIES,
    PHONES,
    cpi_of,
    fit,
    integer_share,
    predict,
    predictions_of,
    read_counts,
    transfer_error,
)
from benchmark.prediction.published import Phone, Published
from benchmark.prediction.tables import prediction_table
from benchmark.runner.output import OperatorShare
from model.foundation.errors import InputError

FLOAT = OperatorShare("Delegate/Fully Connected (NC, F32) GEMM", "", 1.0)
INTEGER = OperatorShare("Delegate/Convolution (NHWC, QC8) DWConv", "", 1.0)


def counted(instructions: int, *operators: OperatorShare, core: str = "cortex-a53") -> Measurement:
    return Measurement(
        machine=MachineFacts("emulated-arm64", f"arm64:{core}", core, {"core": core}),
        runner=Runner("litert_runner"), model=ModelFile("m", 1, ""), settings=Setting(),
        instructions=Instructions(instructions, 5, 0.0, "icount"), operators=operators,
    )  # fmt: skip


@pytest.fixture
def two_networks(monkeypatch):
    """One board whose CPI is 1 for one network and 1.21 for the other."""
    rows = [
        Published("mobilenet_v1", "float", "board", "core", "cortex-a53", 1.0, 1, 100, "here"),
        Published("mobilenet_v2", "float", "board", "core", "cortex-a53", 1.0, 1, 121, "here"),
    ]
    monkeypatch.setattr(prediction, "LATENCIES", rows)
    return {
        ("mobilenet_v1", "float", "cortex-a53"): 100_000_000,
        ("mobilenet_v2", "float", "cortex-a53"): 100_000_000,
    }


def test_a_fit_and_its_leave_one_out_error(two_networks):
    found = fit("board", "float", two_networks)
    assert found is not None
    assert found.cpi == pytest.approx(1.1)
    assert found.error == pytest.approx(0.21)
    assert fit("board", "int8", two_networks) is None
    assert fit("another", "float", two_networks) is None


def test_a_prediction_by_hand(two_networks):
    phone = Phone("phone", "cortex-a53", 2.0, "board")
    made = predict(counted(50_000_000, FLOAT), phone, two_networks)
    assert made is not None
    assert made.milliseconds == pytest.approx(50e6 * 1.1 / 2.0e6)
    low, high = made.fps_interval
    assert (low, high) == pytest.approx((made.fps / 1.21, made.fps * 1.21))


def test_what_nobody_published_is_not_predicted(two_networks):
    phone = Phone("phone", "cortex-a53", 2.0, "board")
    assert predict(counted(50_000_000, INTEGER), phone, two_networks) is None
    borrowed = Phone("phone", "cortex-a53", 2.0, "board", transferred=True)
    assert predict(counted(50_000_000, FLOAT), borrowed, two_networks) is None
    assert math.isinf(transfer_error("float", 1, two_networks))


def test_a_model_without_operator_shares_is_refused(two_networks):
    with pytest.raises(InputError, match="count its instructions with --profile first"):
        predict(counted(1), PHONES[0], two_networks)


def test_a_file_made_again_is_predicted_once_from_its_newest_count():
    newest = replace(counted(50_000_000, FLOAT), measured_at="2026-11-23T17:00:00+00:00")
    older = replace(counted(99_000_000), measured_at="2026-11-22T23:00:00+00:00")
    assert predictions_of([newest, older]) == predictions_of([newest]) != []
    elsewhere = counted(60_000_000, FLOAT, core="cortex-a72")
    assert predictions_of([newest, elsewhere]) == predictions_of([newest]) + predictions_of([elsewhere])


def test_a_prediction_says_its_runtime():
    litert = replace(counted(50_000_000, FLOAT), runner=Runner("litert_runner", "LiteRT 2.3.0"))
    app = replace(
        counted(60_000_000, FLOAT),
        machine=MachineFacts(
            "emulated-arm64-app", "arm64-app:cortex-a53", "cortex-a53", {"core": "cortex-a53"}
        ),
        runner=Runner("app_runner", "TensorFlow Lite 2.16.1"),
    )
    found = predictions_of([litert, app])
    by_runtime = {one.runtime: one.fps for one in found if one.phone == PHONES[0].name}
    assert by_runtime["TensorFlow Lite 2.16.1"] == pytest.approx(by_runtime["LiteRT 2.3.0"] * 50 / 60)
    table = prediction_table(found)
    assert list(table.columns[1].cells).count("TensorFlow Lite 2.16.1") == 1


def test_mixed_models_get_both_cpis():
    counts = read_counts()
    phone = PHONES[0]
    kinds = [predict(counted(10_000_000, one), phone, counts) for one in (FLOAT, INTEGER)]
    half = [OperatorShare(FLOAT.kind, "", 0.5), OperatorShare(INTEGER.kind, "", 0.5)]
    mixed = predict(counted(10_000_000, *half), phone, counts)
    assert mixed is not None
    assert mixed.milliseconds == pytest.approx(sum(one.milliseconds for one in kinds if one) / 2)
    assert mixed.integer_share == 0.5


def test_integer_share_of_nothing_and_of_operators_that_do_not_say():
    assert integer_share([]) == 0
    assert integer_share([OperatorShare("RELU", "", 0.5), OperatorShare(INTEGER.kind, "", 0.5)]) == 1
    assert integer_share([OperatorShare("Delegate/Fully Connected (NC, QS8, QC8W) GEMM", "", 1.0)]) == 1


def test_the_shipped_counts_cover_every_published_latency():
    counts = read_counts()
    for one in LATENCIES:
        assert 0.3 < cpi_of(one, counts) < 4
        assert one.source.startswith("https://")
    assert transfer_error("int8", 4, counts) > 0
    for phone in PHONES:
        assert any(one.board == phone.board for one in LATENCIES)


def test_predictions_need_counts(tmp_path, capsys):
    assert main(["predict", "--results", str(tmp_path / "none.json")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_a_32_bit_build_widens_the_error():
    counts = read_counts()
    points = [one for one in LATENCIES if (one.board, one.kind) == ("Raspberry Pi 3+", "int8")]
    first, second = (cpi_of(one, counts) for one in points)
    found = fit("Raspberry Pi 3+", "int8", counts)
    assert found is not None
    assert 1 + found.error == pytest.approx(max(first, second) / min(first, second) * 29 / 24)
