"""Whatever is wrong with a file, the command says so in a line or reads it as it stands: no traceback, no
crash, no hang; and nothing that was there before is harmed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmark.front_door import commands
from model.foundation.artifact import parse_json
from model.foundation.command_line.command_table import parse
from tests.attack import damage as by
from tests.attack import world as worlds
from tests.attack.conftest import share
from tests.attack.world import (
    FLOAT,
    HOST,
    LESSONS,
    QAT,
    QUANTIZED,
    REPORT,
    SEARCH,
    SENSITIVITY,
    SET,
    TRAIN,
)

ALONE = ["--processes", "1", "--quiet", "--cache", "cache", "--json", "out.json"]
IMAGES = ["--images", "set/images"]
SPEC = ["--spec", "spec.json"]
V2 = ["--network", "featherface_v2", "--size", "64"]
REPORTED = [*REPORT, "--cost", "latency.json", "--layers", "sensitivity.json"]
REPORTED += ["--calibration", "ranges.json", "calibration.json"]
MADE = [
    "--recipe",
    "recipe.json",
    "--ranges",
    "ranges.json",
    "--photographs",
    "set/images",
    "--output",
    "made.tflite",
]
NEW = [*LESSONS, "--output", "new"]
CONVERTED = ["--photographs", "set/images", "--output", "made"]

TFLITE = (by.wrong_table, by.flipped, by.wrong_table, by.cut, by.wrong_table, by.noise, by.other_kind)
ONNX = (by.wrong_proto, by.flipped, by.wrong_proto, by.cut, by.noise, by.other_kind)
JSON = (by.wrong_json, by.wrong_json, by.wrong_json, by.wrong_json, by.cut, by.flipped, by.other_kind)
TEXT = (by.wrong_word, by.wrong_word, by.wrong_word, by.cut, by.flipped, by.other_kind)
ARCHIVE = (by.wrong_entry, by.flipped, by.cut, by.other_kind)
STATE = (by.wrong_state, by.wrong_entry, by.wrong_state, by.flipped, by.cut, by.other_kind)
IMAGE = (by.flipped, by.cut, by.noise, by.huge_header, by.other_kind)


@dataclass(frozen=True)
class Row:
    """One kind of file.

    Attributes:
        file: Of the world, damaged.
        damages: In turn.
        commands: That read it, in turn.
        tries: Of all.
    """

    file: str
    damages: Sequence[by.Damage]
    commands: Sequence[Sequence[str]]
    tries: int

    @property
    def name(self) -> str:
        return self.file.replace("/", "-")


EVALUATED = ["evaluate", QUANTIZED, *SET, *ALONE]
RUN = ["run", "--device", "host", "--model", QUANTIZED]
GATE = ["gate", "--baseline", "baseline.json", "--report", "report/report.json"]
GATED = [*GATE, "--markdown", "g.md", "--junit", "g.xml"]
ROWS = (
    Row(
        QUANTIZED,
        TFLITE,
        (
            ["audit", QUANTIZED, "--json", "out.json"],
            EVALUATED,
            ["compare", FLOAT, QUANTIZED, *IMAGES, "--json", "out.json"],
            ["detect", QUANTIZED, "set/images", "--output", "drawn"],
            [
                "drift",
                FLOAT,
                QUANTIZED,
                *IMAGES,
                "--resamples",
                "10",
                "--quiet",
                "--processes",
                "1",
                "--cache",
                "cache",
            ],
            ["files", FLOAT, QUANTIZED, "--output", "out.json"],
            ["latency", *HOST, "--model", QUANTIZED, "--output", "out.json"],
            [*RUN, *IMAGES, "--limit", "2", "--output", "again"],
            REPORT,
        ),
        210,
    ),
    Row(
        FLOAT,
        TFLITE,
        (
            ["audit", FLOAT],
            ["quantize", "--model", FLOAT, *MADE],
            ["compare", FLOAT, QUANTIZED, *IMAGES],
            ["ranges", "--model", FLOAT, "--calibration", "calibration.json", "--output", "out.json"],
            [*SENSITIVITY, "--layers", "body"],
            ["check", "--model", FLOAT, *SPEC],
            QAT,
        ),
        150,
    ),
    Row(
        "small.tflite",
        TFLITE,
        (
            ["guess-spec", "small.tflite", "--output", "out.json"],
            ["convert", "--model", "small.tflite", *SPEC, *CONVERTED],
            ["detect", "small.tflite", "set/images", *SPEC],
            ["check", "--model", "small.tflite", *SPEC],
        ),
        80,
    ),
    Row(
        "small.onnx",
        ONNX,
        (
            ["lint", "small.onnx", "--json", "out.json"],
            ["guess-spec", "small.onnx"],
            ["evaluate", "small.onnx", *SPEC, *SET, *ALONE],
            ["check", "--model", "small.onnx", *SPEC],
        ),
        100,
    ),
    Row(
        "weights.pth",
        STATE,
        (
            ["check", "--checkpoint", "weights.pth", *V2],
            ["evaluate", "weights.pth", *V2, *SET, *ALONE, "--limit", "2"],
            ["lint", "--checkpoint", "weights.pth", *V2],
            [*NEW, "--start", "weights.pth"],
        ),
        60,
    ),
    Row(
        "spec.json",
        JSON,
        (
            ["evaluate", "small.tflite", *SPEC, *SET, *ALONE],
            ["check", "--model", "small.tflite", *SPEC],
            ["convert", "--model", "small.tflite", *SPEC, *CONVERTED],
            ["detect", "small.onnx", "set/images", *SPEC],
        ),
        80,
    ),
    Row(
        f"{QUANTIZED}.json",
        JSON,
        (
            EVALUATED,
            ["audit", QUANTIZED],
            ["files", QUANTIZED, "--output", "out.json"],
            REPORT,
        ),
        60,
    ),
    Row(
        f"{FLOAT}.json",
        JSON,
        (
            ["quantize", "--model", FLOAT, *MADE],
            ["files", FLOAT, "--output", "out.json"],
            QAT,
            SEARCH,
            ["ranges", "--model", FLOAT, "--calibration", "calibration.json", "--output", "out.json"],
        ),
        50,
    ),
    Row(
        "recipe.json",
        JSON,
        (
            ["check", "--model", "small.tflite", *SPEC, "--recipe", "recipe.json"],
            ["quantize", "--model", FLOAT, *MADE],
        ),
        40,
    ),
    Row(
        "ranges.json",
        JSON,
        (
            ["quantize", "--model", FLOAT, *MADE],
            REPORTED,
            [*SENSITIVITY, "--layers", "body"],
        ),
        40,
    ),
    Row(
        "calibration.json",
        JSON,
        (
            ["ranges", "--model", FLOAT, "--calibration", "calibration.json", "--output", "out.json"],
            ["select-images", *IMAGES, "--count", "4", "--output", "calibration.json"],
            REPORTED,
        ),
        40,
    ),
    Row(
        "set/label.txt", TEXT, (EVALUATED, ["drift", FLOAT, QUANTIZED, *SET, *ALONE, "--resamples", "10"]), 30
    ),
    Row("set/wider.txt", TEXT, (["evaluate", QUANTIZED, *IMAGES, "--labels", "set/wider.txt", *ALONE],), 30),
    Row("set/fddb.txt", TEXT, (["evaluate", QUANTIZED, *IMAGES, "--labels", "set/fddb.txt", *ALONE],), 30),
    Row(
        "set/images/0.jpg",
        (*IMAGE, by.wild_exif, by.wild_exif),
        (
            EVALUATED,
            ["detect", QUANTIZED, "set/images", "--output", "drawn"],
            ["select-images", *IMAGES, "--count", "6", "--output", "out.json"],
        ),
        60,
    ),
    Row("set/images/1.png", IMAGE, (EVALUATED, [*RUN, *IMAGES, "--output", "again"]), 30),
    Row("cache/JOURNAL.jsonl", JSON, (EVALUATED,), 30),
    Row("search.jsonl", JSON, (SEARCH,), 20),
    Row("sensitivity.jsonl", JSON, (SENSITIVITY,), 10),
    Row("sensitivity.json", JSON, (SEARCH, REPORTED), 30),
    Row(
        "latency.json",
        JSON,
        (
            ["latency", *HOST, "--model", QUANTIZED, "--output", "latency.json", "--resume"],
            REPORTED,
            ["predict", "--results", "latency.json"],
        ),
        50,
    ),
    Row(
        "ran/host/small_64x64_int8/run.json",
        JSON,
        ([*RUN, *IMAGES, "--output", "again", "--compare", "ran/host"],),
        20,
    ),
    Row("summary.json", JSON, (["files", FLOAT, QUANTIZED, "--output", "summary.json"],), 20),
    Row(
        "report/report.json",
        JSON,
        (GATED,),
        60,
    ),
    Row(
        "baseline.json",
        JSON,
        (
            GATED,
            [*GATE, "--update"],
        ),
        40,
    ),
    Row("answers.npz", ARCHIVE, (NEW,), 12),
    Row("run/state.pt", STATE, (TRAIN,), 12),
    Row("run/log.jsonl", JSON, (TRAIN,), 8),
    Row("qat/state.pt", STATE, (QAT,), 20),
    Row("qat/log.jsonl", JSON, (QAT,), 12),
)


def test_the_commands_are_there() -> None:
    """A flag of another name would be refused, and every attack with it succeed."""
    for command in (*worlds.RECIPE_OF_THE_WORLD, *(one for row in ROWS for one in row.commands)):
        parse(commands(), command)


def attempts(row: Row) -> Iterator[tuple[int, by.Damage, Sequence[str]]]:
    """Seed, damage and command of each try."""
    pairs = list(product(row.commands, row.damages))
    step = len(pairs) // 2 + 1  # few tries see many of either
    for seed in range(max(1, round(row.tries * share()))):
        command, how = pairs[seed * (step if np.gcd(step, len(pairs)) == 1 else 1) % len(pairs)]
        yield seed, how, command


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_damaged_file_is_a_line(row: Row, world: Path, tmp_path: Path) -> None:
    file = row.file.replace("JOURNAL", next((world / "cache").glob("small_64x64_int8*.jsonl")).stem)
    whole = (world / file).read_bytes()
    faults, refused = [], 0
    for seed, how, command in attempts(row):
        folder = tmp_path / str(seed)
        copied(world, folder, [file, *command])
        damaged = how(whole, np.random.default_rng(seed))
        (folder / file).write_bytes(damaged)
        before = hashes(folder)
        ending = worlds.run(command, folder)
        fault = ending.fault or harmed(folder, before, ending.code)
        refused += ending.code == 2
        if fault:
            faults.append(
                f"{fault}: {how.__name__} {seed} of {file}, {' '.join(command[:3])}: {last(ending.said)}"
            )
            keep(ending.said, damaged, row.name, seed)
        shutil.rmtree(folder)
    count(row.name, seed + 1, refused, faults)
    assert not faults, "\n".join(faults)


def copied(world: Path, folder: Path, words: Sequence[str]) -> None:
    """A copy of that part of the world that the words name."""
    named = {word.split("/")[0] for word in words} | {"answers.npz", "set"}
    folder.mkdir()
    for entry in world.iterdir():
        if entry.name in named or (entry.name.removesuffix(".json") in named and entry.suffix == ".json"):
            copy = shutil.copytree if entry.is_dir() else shutil.copy
            copy(entry, folder / entry.name)


def hashes(folder: Path) -> dict[str, str]:
    """Relative path -> hash of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def harmed(folder: Path, before: dict[str, str], code: int | None) -> str | None:
    """What a command that ended did to files: one lost, changed though it refused, or half written."""
    after = hashes(folder)
    if lost := before.keys() - after.keys():
        return f"lost {min(lost)}"
    new = {name for name, value in after.items() if before.get(name) != value}
    if half := [name for name in new if Path(name).name.startswith(".")]:
        return f"left {half[0]}"
    if code == 2 and (changed := [name for name in new & before.keys() if not name.endswith("l")]):
        return f"refused, and changed {changed[0]}"
    for name in new:
        if name.endswith(".json"):
            try:
                parse_json((folder / name).read_bytes())
            except ValueError:
                return f"{name} is no JSON"
    return None


def last(said: str) -> str:
    return next((line for line in reversed(said.splitlines()) if line.strip()), "nothing said")[:300]


def keep(said: str, damaged: bytes, name: str, seed: int) -> None:
    """What a fault was found with, where FEATHERFACE_ATTACK_KEEP says."""
    if folder := os.environ.get("FEATHERFACE_ATTACK_KEEP"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.{seed}.txt").write_text(said)
        (Path(folder) / f"{name}.{seed}.bin").write_bytes(damaged)


def count(name: str, tries: int, refused: int, faults: Sequence[str]) -> None:
    print(f"{name}: {tries} tries, {refused} refused in a line, {len(faults)} faults")
