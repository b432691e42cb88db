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

MEDIA = f"/storage/emulated/0/Android/media/{PACKAGE}/benchmark"
ROOT = f"/storage/emulated/0/Android/data/{PACKAGE}/files/benchmark"
STATS = {"mean": 20.0, "std": 1.0, "min": 19.0, "p50": 20.0, "p90": 21.0, "p99": 22.0, "max": 23.0}


class App:
    """The app on a scripted phone.

    Attributes:
        phone: The phone it is installed on.
        extras: The extras of each start.
        roots: Its folders that a shell may know, by name.
        shared: Those of them that both sides can write and read.
        end: "done", "failed", "silent" (it dies), "unheard" (the log loses the end) or "damaged".
        flags: What it flags in its result.
        compiled: The answer to the request to compile it.
        debuggable: Whether `run-as` works.
    """

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.extras: list[dict[str, str]] = []
        self.roots = {"media": MEDIA, "external": ROOT}
        self.shared = {"media", "external"}
        self.end = "done"
        self.flags: list[str] = []
        self.compiled = "Success\n"
        self.debuggable = False
        self.alive = True
        phone.answers += [
            ("pm list packages", lambda _: (0, f"package:{PACKAGE}\n")),
            ("dumpsys window", lambda _: (0, "    mDreamingLockscreen=false\n")),
            ("am start", self._start),
            ("pidof", lambda _: (0, "4242\n" if self.alive else "")),
            ("cmd package compile", lambda _: (0, self.compiled)),
            ("run-as .* true", lambda _: (0, "") if self.debuggable else (1, "package not debuggable\n")),
            ("run-as .* cat .*jsonl", lambda _: (0, self.lines.decode())),
            ("run-as .* cat ", self._internal_result),
            ("/from_app", self._greeting),
            ("^ls ", lambda command: (0 if command.split()[1].strip("'") in phone.files else 1, "")),
        ]
        phone.logcat = self._log

    def _start(self, command: str) -> tuple[int, str]:
        words = re.findall(r"--e[sizf] (\S+) (\S+)", command)
        self.extras.append(dict(words))
        return 0, "Starting: Intent\n"

    def _greeting(self, command: str) -> tuple[int, str]:
        place = next(name for name, root in self.roots.items() if root in command)
        return (0, "the app was here\n") if place in self.shared else (1, "Permission denied\n")

    def _log(self) -> list[str]:
        # The log is opened before the app is started: wait for the start that it belongs to.
        import time

        seen = len(self.extras)
        while len(self.extras) == seen:
            time.sleep(0.01)
        extras = self.extras[-1]
        if "prepare" in extras:
            greeted = {
                place
                for place, root in self.roots.items()
                if any(f"> {root}/from_host" in command for command in self.phone.commands)
            }
            roots = {f"{place}_root": self.roots.get(place) for place in ("media", "external")}
            return [
                _line(
                    "READY",
                    **roots,
                    internal_root="/data/user/0/x",
                    heard=sorted(greeted & self.shared),
                    pid=4242,
                )
            ]
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
        value = result(extras) | {"flags": self.flags}
        if "images" in extras:
            folder = f"{self.roots.get(extras['root'], 'inside')}/{extras['images']}/"
            names = sorted(path.removeprefix(folder) for path in self.phone.files if path.startswith(folder))
            rows = [json.dumps(detected(f"{extras['images']}/{name}")) for name in names]
            self.lines = "".join(f"{row}\n" for row in rows).encode()
            value["images"] = {"count": len(rows), "sha256": hashlib.sha256(self.lines).hexdigest()}
            if extras["root"] in self.roots:
                self.phone.files[f"{self.roots[extras['root']]}/results/{run_id}.images.jsonl"] = self.lines
        content = json.dumps(value).encode()
        digest = hashlib.sha256(content + (b"x" if self.end == "damaged" else b"")).hexdigest()
        self.content = content
        if extras["root"] in self.roots:
            self.phone.files[f"{self.roots[extras['root']]}/results/{run_id}.json"] = content
        if self.end == "unheard":
            return lines
        return [
            *lines,
            _line("DONE", run_id="of another run", sha256=""),
            _line("DONE", run_id=run_id, sha256=digest),
        ]

    def _internal_result(self, _: str) -> tuple[int, str]:
        return 0, self.content.decode()


def detected(file: str) -> dict[str, Any]:
    """What the app writes about one image."""
    face = {"box_xyxy": [1, 2, 3, 4], "score": 0.9, "landmarks_xy": [[1, 1]] * 5}
    return {"file": file, "height": 8, "width": 8, "error": None, "detections": [face]}


def _line(word: str, **value: Any) -> str:
    return f"{word} {json.dumps(value)}"


def result(extras: dict[str, str]) -> dict[str, Any]:
    """What the app writes, shortened."""
    return {
        "schema": 2,
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


def test_images_go_in_batches_and_what_is_done_stays_done(app, tflite_file, tmp_path):
    from PIL import Image

    from benchmark.devices.adb import AdbDevice
    from benchmark.devices.machine import MachineFacts, RunRequest
    from benchmark.phone.app import AppMachine, AppRun
    from benchmark.phone.batches import detect_in_batches

    images = {}
    for number in range(5):
        images[f"{number}.png"] = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8 + number)).save(images[f"{number}.png"])
    task, request = AppRun(("detect",), images, "set"), RunRequest(tflite_file)

    def machine() -> AppMachine:
        facts = MachineFacts.__new__(MachineFacts)
        return AppMachine(AdbDevice("PIXEL"), facts)

    app.phone.hang_on = "images/set/4.png"
    app.phone.vanish_on = "images/set/4.png"
    with pytest.raises(DeviceError):
        detect_in_batches(machine(), request, task, tmp_path / "parts", batch=2)
    assert len(list((tmp_path / "parts").glob("*.json"))) == 2
    app.phone.hang_on = app.phone.vanish_on = ""
    app.phone.state = "device"
    runs = len(app.extras)
    found = detect_in_batches(machine(), request, task, tmp_path / "parts", batch=2)
    assert [entry["file"] for entry in found["images"]] == [f"images/set/{name}" for name in images]
    assert len([extras for extras in app.extras[runs:] if "run_id" in extras]) == 1
    assert not any("images/set" in path for path in app.phone.files)


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
