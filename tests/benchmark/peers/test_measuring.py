"""What is measured of a file, and the page about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.accuracy.bootstrap import PairedDifference
from benchmark.peers import measuring
from benchmark.peers.comparison import write
from benchmark.peers.measuring import Made, Row, measure
from benchmark.peers.picture import pareto
from benchmark.peers.tables import OURS, compared, converters_table, models_table, problems
from calibration_data.image_set import ImageSet
from tests.conftest import Converted

OUR_ROW = Row(
    Made("net", "Net", OURS, "int8"), "1", 400_000, 141,
    {"dev": PairedDifference(0.90, 0.91, 0.01, -0.002, 0.02)}, {"cortex-a53": 59_060_000}, 0.7,
)  # fmt: skip
THEIR_ROW = replace(OUR_ROW, made=replace(OUR_ROW.made, converter="Tool", setting="default"), operators=None)
FAILED = Row(Made("net", "Net", "Other", "", problem="no such operator"))


def test_tables_tell_models_from_converters() -> None:
    rows = [OUR_ROW, THEIR_ROW, FAILED]
    assert models_table(rows).rows == (
        ("Net", "int8", "90.00", "91.00 (+1.00, -0.20 to +2.00)", "400", "141", "59.1", "0.70"),
    )
    assert compared(rows) == ["net"] and compared([OUR_ROW]) == []
    table = converters_table(rows, "net")
    assert [row[0] for row in table.rows] == [OURS, "Tool", "Other"]
    assert table.rows[1][5] == "–" and set(table.rows[2][2:]) == {"–"}
    assert problems(rows) == ["Net, Other (): no such operator"]


@pytest.mark.parametrize(
    ("points", "best"),
    [
        ([], []),
        ([(2, 90)], [(2, 90)]),
        ([(2, 90), (1, 95)], [(1, 95)]),
        ([(3, 95), (1, 80), (2, 70), (1, 60), (4, 95)], [(1, 80), (3, 95)]),
    ],
)
def test_pareto(points: list[tuple[int, int]], best: list[tuple[int, int]]) -> None:
    found = pareto([(cost, ap, OUR_ROW) for cost, ap in points])
    assert [(cost, ap) for cost, ap, _ in found] == best


def test_the_page_has_tables_and_pictures(tmp_path: Path) -> None:
    page = write(tmp_path, [OUR_ROW, THEIR_ROW, FAILED])
    assert "## Converters on the weights of Net" in page
    assert page.endswith("- Net, Other (): no such operator\n")
    assert (tmp_path / "peers_dev.png").stat().st_size > 1000
    assert (tmp_path / "peers_dev.svg").is_file() and (tmp_path / "peers.json").is_file()


@pytest.mark.slow
def test_a_second_run_measures_nothing(
    converted: Converted, demo_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = demo_set / "evaluation"
    images = ImageSet.read(folder / "images", folder / "label.txt", "demo").sample(6, 0)
    both = [
        Made("v2", "V2", OURS, "", file, float32=converted.float32)
        for file in (converted.float32, converted.onnx)
    ]
    absent = Made("v2", "V2", "Tool", "", problem="does not install")
    rows = measure([*both, absent], [images], (), converted.float32, tmp_path)
    assert rows[2] == Row(absent)
    first, second = (row.accuracy["demo"] for row in rows[:2])
    assert first.candidate and first.difference == 0 and second.difference == pytest.approx(0, abs=0.01)
    assert rows[0].host_ratio and 0.2 < rows[0].host_ratio < 5

    monkeypatch.setattr(measuring, "run_model", None)
    monkeypatch.setattr(measuring, "open_model", None)
    assert measure([*both, absent], [images], (), converted.float32, tmp_path) == rows
