"""The demo app's benchmark mode, played by a scripted phone after android_demo/BENCHMARK_MODE.md."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from scripted_adb import Phone, recorded

from benchmark.__main__ import main
from benchmark.devices.errors import DeviceError
from benchmark.devices.results import read_results
from benchmark.phone.app import PACKAGE

ROOT = f"/storage/emulated/0/Android/data/{PACKAGE}/files/benchmark"
STATS = {"mean": 20.0, "std": 1.0, "min": 19.0, "p50": 20.0, "p90": 21.0, "p99": 22.0, "max": 23.0}


class App:
    """The app on a scripted phone.

    Attributes:
        phone: The phone it is installed on.
        extras: The extras of each start.
        root: Its external folder, or None.
        end: "done", "failed", "silent" (it dies) or "damaged".
    """

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.extras: list[dict[str, str]] = []
        self.root: str | None = ROOT
        self.end = "done"
        self.alive = True
        phone.answers += [
            ("pm list packages", lambda _: (0, f"package:{PACKAGE}\n")),
            ("dumpsys window", lambda _: (0, "    mDreamingLockscreen=false\n")),
            ("am start", self._start),
            ("pidof", lambda _: (0, "4242\n" if self.alive else "")),
            ("run-as .* cat ", self._internal_result),
        ]
        phone.logcat = self._log

    def _start(self, command: str) -> tuple[int, str]:
        words = re.findall(r"--e[sizf] (\S+) (\S+)", command)
        self.extras.append(dict(words))
        return 0, "Starting: Intent\n"

    def _log(self) -> list[str]:
        # The log is opened before the app is started: wait for the start that it belongs to.
        import time

        seen = len(self.extras)
        while len(self.extras) == seen:
            time.sleep(0.01)
        extras = self.extras[-1]
        if "prepare" in extras:
            return [_line("READY", root=self.root, internal_root="/data/user/0/x", pid=4242)]
        run_id = extras["run_id"]
        lines = ["--------- beginning of main", _line("STARTED", run_id=run_id, pid=4242, model_sha256="")]
        lines += [_line("PROGRESS", run_id=run_id, task="latency", done=5, total=50, seconds=1.0)]
        if self.end == "failed":
            return [
                *lines,
                _line("FAILED", run_id=run_id, error="expected a TFLite model, found a text file"),
            ]
        if self.end == "silent":
            self.alive = False
            return lines
        content = json.dumps(result(extras)).encode()
        digest = hashlib.sha256(content + (b"x" if self.end == "damaged" else b"")).hexdigest()
        self.content = content
        if self.root:
            self.phone.files[f"{self.root}/results/{run_id}.json"] = content
        return [
            *lines,
            _line("DONE", run_id="of another run", sha256=""),
            _line("DONE", run_id=run_id, sha256=digest),
        ]

    def _internal_result(self, _: str) -> tuple[int, str]:
        return 0, self.content.decode()


def _line(word: str, **value: Any) -> str:
    return f"{word} {json.dumps(value)}"


def result(extras: dict[str, str]) -> dict[str, Any]:
    """What the app writes, shortened."""
    return {
        "schema": 1,
        "run_id": extras["run_id"],
        "status": "ok",
        "app": {
            "package": PACKAGE,
            "version_name": "1.0",
            "version_code": 1,
            "runtime": "tensorflow-lite 2.16.1",
        },
        "model": {
            "file": extras["model"],
            "outputs": [
                {"name": "boxes", "dtype": "int8", "shape": [1, 4200, 4], "scale": 0.1, "zero_point": 0}
            ],
        },
        "init_ms": 30.0,
        "first_inference_ms": 45.0,
        "latency": {
            "runs": 50,
            "stages_ms": {
                "letterbox": {**STATS, "mean": 5.0},
                "inference": STATS,
                "decode": {**STATS, "mean": 2.0},
                "nms": {**STATS, "mean": 1.0},
                "total": {**STATS, "mean": 28.0},
            },
            "samples_ms": {"inference": [20.0, 20.5], "total": [28.0, 28.5]},
        },
        "memory": {"pss_bytes": 100 * 2**20},
    }


@pytest.fixture
def app(own_locks, adb_server) -> App:
    """The app on a Pixel 3a."""
    phone = Phone(recorded("pixel_3a"))
    adb_server(PIXEL=phone)
    return App(phone)


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
    assert one.conditions["runtime"]["runtime"] == "tensorflow-lite 2.16.1"
    asked = app.extras[1]
    assert (asked["threads"], asked["delegate"], asked["runs"], asked["root"]) == (
        "2",
        "cpu",
        "50",
        "external",
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
    assert {f"{ROOT}/images/crowd/a.jpg", f"{ROOT}/images/crowd/deep/b.png"} <= pushed
    assert len(app.phone.pushes) == 3
    assert app.extras[-1]["images"] == "images/crowd"


def test_a_phone_without_writable_external_folder(app, tflite_file, tmp_path):
    app.root = None
    assert run(tflite_file, tmp_path / "results.json") == 0
    assert app.extras[-1]["root"] == "internal"
    assert any(
        f"run-as {PACKAGE} cp /data/local/tmp/featherface/" in command for command in app.phone.commands
    )
    assert app.phone.files == {}


def test_a_cluster_is_pinned_before_the_app_makes_its_threads(app, tflite_file, tmp_path):
    assert run(tflite_file, tmp_path / "results.json", "--cluster", "big") == 0
    assert app.extras[-1]["wait_for_go"] == "true"
    pins = [
        place
        for place, command in enumerate(app.phone.commands)
        if f"run-as {PACKAGE} taskset -ap c0 4242" in command
    ]
    go = [place for place, command in enumerate(app.phone.commands) if "/go/run-" in command]
    assert pins
    assert pins[0] < go[0]


def test_a_release_build_cannot_be_pinned(app, tflite_file, tmp_path, capsys):
    app.phone.answers.insert(0, ("taskset", lambda _: (1, "run-as: package not debuggable\n")))
    assert run(tflite_file, tmp_path / "results.json", "--cluster", "big") == 2
    assert "install the app's debug build" in capsys.readouterr().err


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
    assert "use --runner benchmark_model" in capsys.readouterr().err


def test_detections_of_the_phone_by_image_name():
    from benchmark.phone.phone_command import phone_detections

    face = {"box_xyxy": [1, 2, 3, 4], "score": 0.9, "landmarks_xy": [[1, 1]] * 5}
    entry = {"file": "images/set/deep/a.jpg", "height": 10, "width": 20, "error": None, "detections": [face]}
    empty = {**entry, "file": "images/set/b.jpg", "detections": []}
    images = {"deep/a.jpg": Path("a"), "b.jpg": Path("b")}
    found = phone_detections({"images": [entry, empty]}, images)
    assert found["deep/a.jpg"].found.boxes_xyxy.tolist() == [[1, 2, 3, 4]]
    assert (found["b.jpg"].height, found["b.jpg"].width, len(found["b.jpg"].found)) == (10, 20, 0)
    with pytest.raises(DeviceError, match=r"left out 1 of 2 images, first b\.jpg"):
        phone_detections({"images": [entry]}, images)
    with pytest.raises(DeviceError, match=r"could not use b\.jpg: cannot be decoded"):
        phone_detections({"images": [entry, {**empty, "error": "cannot be decoded"}]}, images)
