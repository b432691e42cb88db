"""The root's pages: what they link to is there, and the README's Python runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT, Converted

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target, anchor in re.findall(r"\]\(([^)#:]+)(#[a-z-]+)?\)", text):
        assert (ROOT / target).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (ROOT / target).read_text(), re.MULTILINE)
            assert anchor[1:] in [one.lower().replace(" ", "-") for one in headings], anchor


def test_what_contributing_names_is_there() -> None:
    named = re.findall(r"`([a-z_]+/[a-zA-Z_/.]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    absent = [one for one in named if "NAME" not in one and not (ROOT / one).exists()]
    assert len(named) > 12
    assert absent == []


def test_the_python_of_the_readme_runs(
    converted: Converted, demo_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.+?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    file, photograph = "build/featherface_v2_320x320_int8.tflite", "photo.jpg"
    assert file in code and photograph in code
    # At the small input of this file some pictures show no face.
    for picture in sorted((demo_set / "evaluation" / "images").iterdir())[:12]:
        exec(code.replace(file, str(converted.float32)).replace(photograph, str(picture)), {})  # noqa: S102
    assert re.search(r"^0\.\d\d  box \[", capsys.readouterr().out, re.MULTILINE)
