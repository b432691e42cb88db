"""What files say of themselves stays a word wherever it is shown: in tables, HTML, Markdown, JUnit."""

from __future__ import annotations

import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from model.runtime.flatbuffer import read_model, write_model
from tests.attack import world as worlds
from tests.attack.child import Ending
from tests.attack.test_damaged_inputs import ALONE, copied
from tests.attack.world import FLOAT, QUANTIZED, REPORT, SET
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

WORDS = (
    "<script>alert(1)</script>", "$(touch hit)", "`touch hit`", "; touch hit", "[/red]", "[bold]", "a|b",
    "a\\b", "\"'&amp;", "$x_{1$", "{{ 7 * 7 }}", "%s%n", "\x1b[31m", "-rf", "**b**", "![x](//y)",
    "é\u202e",
)  # fmt: skip
"""Each means something to some reader."""
TEMPLATES = ROOT / "benchmark" / "report" / "templates"


class Page(HTMLParser):
    """The scripts of a page and the addresses in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._inside = False
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        self.addresses += [value or "" for name, value in attrs if re.match("src|href|on", name)]

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts.append(data)

    def handle_endtag(self, *_: str) -> None:
        self._inside = False


def harmless(page: Path) -> None:
    """No script or address that a template does not have."""
    found = Page(page.read_text())
    templates = [file.read_text() for file in TEMPLATES.glob("*.j2")]
    assert all(any(script in text for text in templates) for script in found.scripts)
    assert all(address.startswith(("#", "data:")) for address in found.addresses)


def harmless_tables(text: str) -> None:
    """Tables keep their columns, and nothing in them is HTML, a link or bold."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block
        assert not re.search(r"<\w|(?<!\\)\]\(|(?<!\\)\*\*", block), block


def well(ending: Ending, folder: Path, code: int = 0) -> None:
    assert ending.fault is None and ending.code == code, ending.said
    assert not (folder / "hit").exists()
    assert "\x1b[31m" not in ending.said


@pytest.fixture
def folder(world: Path, tmp_path: Path) -> Path:
    words = [*REPORT, "small.tflite", "spec.json", "baseline.json"]
    copied(world, tmp_path / "here", words)
    shutil.rmtree(tmp_path / "here" / "cache", ignore_errors=True)
    return tmp_path / "here"


def test_names_of_photographs(folder: Path) -> None:
    images = folder / "set" / "images"
    names = [f"{word.replace('/', '_')}.jpg" for word in WORDS]
    for name in (*names, "new\nline.jpg", ".hidden.jpg"):
        shutil.copy(images / "0.jpg", images / name)
    truth = (folder / "set" / "label.txt").read_text().splitlines()[1]
    (folder / "set" / "label.txt").write_text(
        "".join(f"# {name}\n{truth}\n" for name in names if "\\" not in name)
    )
    pictures = ["--images", "set/images"]
    for command in (
        ["detect", QUANTIZED, "set/images", "--output", "drawn", "--json", "found.json"],
        ["select-images", *pictures, "--count", "40", "--output", "chosen.json"],
        ["ranges", "--model", FLOAT, "--calibration", "chosen.json", "--output", "ranges.json"],
        ["run", "--device", "host", "--model", QUANTIZED, *pictures, "--output", "ran"],
        ["evaluate", QUANTIZED, *SET, "--write-predictions", "predictions", *ALONE],
        ["drift", FLOAT, QUANTIZED, *SET, "--output", "drift", "--resamples", "10", *ALONE],
        REPORT,
    ):
        well(worlds.run(command, folder), folder)
    harmless(folder / "report" / "report.html")
    harmless_tables((folder / "report" / "report.md").read_text())
    chosen = json.loads((folder / "chosen.json").read_text())["images"]
    assert len(chosen) == len(names) + len(["new\nline.jpg"]) + 6
    (images / os.fsdecode(b"\xff\xfe.jpg")).touch()
    ending = worlds.run(["detect", QUANTIZED, "set/images"], folder)
    well(ending, folder, 2)
    assert "rename it" in ending.said


def test_names_inside_a_file(folder: Path) -> None:
    model = read_model(folder / "small.tflite")
    read = ("image", *worlds.HEADS)
    inside = [one for one in model.subgraphs[0].tensors if one.name.decode() not in read]
    for number, tensor in enumerate(inside):
        tensor.name = f"{WORDS[number % len(WORDS)]}/{number}"
    write_model(model, folder / "small.tflite")
    pictures = ["--images", "set/images"]
    made = ["--model", "small.tflite", "--spec", "spec.json", "--photographs", "set/images", "--output", "."]
    tried = ["--model", FLOAT, "--data", "set", "--calibration", "calibration.json"]
    page = [
        "report",
        FLOAT,
        "--set",
        "</b><i>[/b]",
        "set/images",
        "set/label.txt",
        "--layers",
        "sensitivity.json",
    ]
    for command in (
        ["convert", *made],
        ["select-images", *pictures, "--count", "4", "--output", "calibration.json"],
        ["audit", FLOAT, "--json", "audit.json"],
        ["compare", FLOAT, FLOAT, *pictures, "--html", "compare.html"],
        ["sensitivity", *tried, "--output", "sensitivity.json"],
        [*page, "--resamples", "10", "--output", "report", "--processes", "1", "--cache", "cache"],
    ):
        well(worlds.run(command, folder), folder)
    harmless(folder / "compare.html")
    harmless(folder / "report" / "report.html")
    harmless_tables((folder / "report" / "report.md").read_text())


def test_names_in_a_report_that_a_gate_reads(folder: Path) -> None:
    report = json.loads((folder / "report" / "report.json").read_text())
    first = report["artefacts"][0]
    report["artefacts"] += [{**first, "file": f"{word}\n\x00"} for word in WORDS]
    (folder / "report" / "report.json").write_text(json.dumps(report))
    command = ["gate", "--baseline", "baseline.json", "--report", "report/report.json"]
    well(worlds.run([*command, "--markdown", "gate.md", "--junit", "gate.xml"], folder), folder, 1)
    harmless_tables((folder / "gate.md").read_text())
    suite = ElementTree.parse(folder / "gate.xml").getroot()
    assert suite.get("failures") == str(len(WORDS))
