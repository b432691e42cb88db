"""The command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantize.__main__ import main
from tests.conftest import EMBEDDED, ROOT, Converted
from tests.quantize.qat.conftest import INT8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--data": "nowhere"}, "no such folder of photographs"),
        ({"--data": "images_dev"}, "evaluation set"),
        ({"--data": ""}, "no image in"),
        ({"--data": "demo"}, "takes 96x128: training needs square inputs"),
        ({"--threads": "0"}, "--threads must be at least 1"),
        ({"--steps": "0"}, "steps must be at least 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    changes: dict[str, str],
    message: str,
    demo_set: Path,
    converted: Converted,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import re

    (tmp_path / "images_dev").mkdir()
    (tmp_path / "empty").mkdir()
    places = {"demo": str(demo_set / "calibration" / "images"), "": str(tmp_path / "empty")}
    options = {
        "--model": str(converted.float32),
        "--checkpoint": str(EMBEDDED),
        "--ranges": str(ROOT / "model" / "weights" / "featherface_v2_ranges.json"),
        "--recipe": str(INT8),
        "--data": str(tmp_path),
        "--photographs": str(tmp_path),
        "--output": str(tmp_path / "output"),
    }
    for name, value in changes.items():
        options[name] = places.get(
            value, value if name in ("--threads", "--steps") else str(tmp_path / value)
        )
    assert main(["qat", *(part for pair in options.items() for part in pair)]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "\n" not in error
    assert re.search(message, error)
