"""The flags that say what recipes are tried on."""

from __future__ import annotations

import pytest

from quantize.__main__ import main


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
