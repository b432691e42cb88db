"""The demo app as a machine: what is asked of it, and what can go wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmark.__main__ import main
from benchmark.devices.kinds.app import PACKAGE
from benchmark.devices.results import read_results
from tests.benchmark.scripted_app import MEDIA


def run(model: Path, output: Path, *more: str) -> int:
    return main(
        ["latency", "--device", "adb", "--model", str(model), "--quick", "--output", str(output), *more]
    )


def test_a_frame_end_to_end(app, tflite_file, tmp_path, capsys):
    output = tmp_path / "results.json"
    assert run(tflite_file, output, "--threads", "2") == 0
    (one,) = read_results(output)
    assert one.valid
    assert one.timing is not None
    assert (one.timing.p50, one.timing.p99, one.timing.init, one.timing.first) == (20.0, 22.0, 30.0, 45.0)
    assert one.stages_ms == {"letterbox": 5.0, "inference": 20.0, "decode": 2.0, "nms": 1.0, "total": 28.0}
    assert one.peak_memory_mb == 100.0
    assert one.conditions.runtime is not None
    assert one.conditions.runtime.runtime == "tensorflow-lite 2.16.1"
    asked = app.extras[2]
    assert (asked["threads"], asked["delegate"], asked["runs"], asked["root"]) == (
        "2",
        "cpu",
        "50",
        "media",
    )
    assert re.search(r"frames a second\W+35\.7\W+end to end", capsys.readouterr().out)
    assert len([path for path in app.phone.pushes if "models/" in path]) == 1
    assert app.phone.files == {}


def test_images_are_pushed_once_below_the_apps_folder(app, tflite_file, tmp_path):
    from PIL import Image

    images = tmp_path / "crowd"
    (images / "deep").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(images / "a.jpg")
    Image.new("RGB", (9, 8)).save(images / "deep" / "b.png")
    assert run(tflite_file, tmp_path / "results.json", "--images", str(images)) == 0
    pushed = {path.removesuffix(".partial") for path in app.phone.pushes}
    assert {f"{MEDIA}/images/crowd/a.jpg", f"{MEDIA}/images/crowd/deep/b.png"} <= pushed
    assert len(app.phone.pushes) == 3
    assert app.extras[-1]["images"] == "images/crowd"


def test_the_first_folder_that_both_sides_can_use_is_taken(app, tflite_file, tmp_path):
    app.shared = {"external"}
    assert run(tflite_file, tmp_path / "results.json") == 0
    assert app.extras[-1]["root"] == "external"
    assert app.phone.files == {}


def test_without_a_shared_folder_a_debuggable_app_opens_its_own(app, tflite_file, tmp_path):
    app.shared, app.debuggable = set(), True
    assert run(tflite_file, tmp_path / "results.json") == 0
    assert app.extras[-1]["root"] == "internal"
    assert any(
        f"run-as {PACKAGE} cp /data/local/tmp/featherface/" in command for command in app.phone.commands
    )
    assert app.phone.files == {}


def test_without_a_shared_folder_a_release_build_says_so(app, tflite_file, tmp_path, capsys):
    app.shared = set()
    assert run(tflite_file, tmp_path / "results.json") == 2
    assert "adb and the app share no folder" in capsys.readouterr().err


def test_the_app_pins_itself_to_a_cluster(app, tflite_file, tmp_path):
    assert run(tflite_file, tmp_path / "results.json", "--cluster", "big") == 0
    assert app.extras[-1]["processors"] == "6,7"
    assert not any("taskset" in command for command in app.phone.commands)


def test_the_app_is_compiled_before_it_is_measured(app, tflite_file, tmp_path):
    assert run(tflite_file, tmp_path / "results.json") == 0
    commands = app.phone.commands
    compiled = commands.index(f"cmd package compile -m speed -f {PACKAGE}")
    assert compiled < next(place for place, command in enumerate(commands) if "am start" in command)


def test_what_the_app_flags_is_a_problem_of_the_measurement(app, tflite_file, tmp_path):
    app.flags, app.compiled = ["the screen was left after 3 s"], "Failure: no such package\n"
    output = tmp_path / "results.json"
    assert run(tflite_file, output) == 0
    (one,) = read_results(output)
    assert not one.valid
    assert "the screen was left after 3 s" in one.problems
    assert any("could not be compiled before the run: Failure" in problem for problem in one.problems)


def test_an_end_that_the_log_lost_is_found_in_the_folder(app, tflite_file, tmp_path):
    app.end = "unheard"
    output = tmp_path / "results.json"
    assert run(tflite_file, output) == 0
    assert read_results(output)[0].timing is not None


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("failed", "the app says: expected a TFLite model, found a text file"),
        ("silent", "the app's log ended without a result"),
        ("damaged", "the app's result arrived damaged"),
    ],
)
def test_an_app_that_fails(app, tflite_file, tmp_path, capsys, end, message):
    app.end = end
    assert run(tflite_file, tmp_path / "results.json") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "case",
    [
        ("pm list packages", (0, ""), "the demo app is not installed"),
        ("dumpsys window", (0, "  mDreamingLockscreen=true\n"), "PIXEL is locked: unlock its screen"),
        (
            "am start",
            (0, "Error type 3\nError: Activity class does not exist.\n"),
            "did not start: Error: Activity",
        ),
    ],
)
def test_an_app_that_cannot_start(app, tflite_file, tmp_path, capsys, case):
    pattern, answer, message = case
    app.phone.answers.insert(0, (pattern, lambda _: answer))
    app.phone.logcat = list
    assert run(tflite_file, tmp_path / "results.json") == 2
    assert message in capsys.readouterr().err


def test_the_app_has_no_operator_profile(app, tflite_file, tmp_path, capsys):
    assert run(tflite_file, tmp_path / "results.json", "--profile") == 2
    assert "use --benchmark-model FILE" in capsys.readouterr().err
