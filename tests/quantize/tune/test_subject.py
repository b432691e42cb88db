"""The flags that say what recipes are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration_data.image_set import ImageSet
from quantize.__main__ import main
from quantize.tune.subject import Subject


@pytest.mark.parametrize(
    ("more", "because"),
    [
        ([], "either measured ranges with --ranges or images with --calibration"),
        (["--ranges", "r.json", "--calibration", "c.json"], "either measured ranges"),
        (["--ranges", "r.json", "--estimator", "best"], "unknown estimator 'best': expected one of entropy"),
    ],
)
def test_flags_that_do_not_go_together_are_one_line(
    more: list[str], because: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sensitivity", "--model", "m.tflite", "--data", "d", "--output", "o.json"]
    assert main([*arguments, *more]) == 2
    error = capsys.readouterr().err
    assert because in error
    assert "Traceback" not in error


def test_a_limit_draws_by_the_seed(demo_set: Path) -> None:
    folder = demo_set / "evaluation"

    def drawn(**flags: int) -> set[Path]:
        subject = Subject(model=Path("m.tflite"), data=[folder], ranges=Path("r.json"), **flags)
        return {one.path for one in subject.images("search")}

    half = {*ImageSet.in_folder(folder).half("search").images.values()}
    assert drawn() == half
    assert drawn(limit=4) == drawn(limit=4, seed=0) < half
    assert len({frozenset(drawn(limit=4, seed=seed)) for seed in range(5)}) > 1
