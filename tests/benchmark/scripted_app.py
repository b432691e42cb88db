"""The demo app's benchmark mode on a scripted phone, played after android_demo/BENCHMARK_MODE.md."""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import Any

from benchmark.devices.kinds.app import PACKAGE
from tests.benchmark.scripted_adb import Phone

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
