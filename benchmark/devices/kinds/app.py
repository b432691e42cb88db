"""The demo app's benchmark mode on a phone: the whole path of a frame, and evaluation of pushed images.

The contract with the app is android_demo/BENCHMARK_MODE.md.
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.adb.client import AdbDevice
from benchmark.adb.facts import DeviceFacts, MachineFacts
from benchmark.devices.adb_machine import FOLDER, AdbMachine, over_adb
from benchmark.devices.app_result import AppResult, AppVersion
from benchmark.devices.kind import Kind, Wish
from benchmark.devices.machine import Machine, Runner, RunRequest
from benchmark.errors import DeviceError, DeviceTimeoutError
from benchmark.runner.output import RunnerOutput
from calibration_data.images import list_images
from model.foundation.artifact import read_json, sha256_of
from model.foundation.errors import InputError
from model.foundation.records import from_json

PACKAGE = "org.featherface.demo"
ACTIVITY = f"{PACKAGE}/.benchmark.BenchmarkActivity"
TAG = "FeatherFaceBenchmark"
SCHEMA = 2
DELEGATES = {"xnnpack": "cpu", "none": "cpu_reference", "gpu": "gpu"}
READY_TIMEOUT_S = 30.0
SILENCE_S = 90.0
"""The app reports progress every second; a single slow image or the start of a GPU takes longer."""

PLACES = ("media", "external")
"""The app's folders that adb may reach, the first one that works; on some phones with Android 11 or later
only the first. The app's inner folder is a last resort: only a debuggable app opens it to adb."""

OVERLAP = 20
"""Log lines before the start that are read again, so that none is missed; those of other runs are skipped."""

_LINE = re.compile(r"^(READY|STARTED|PROGRESS|DONE|FAILED)\s+(\{.*\})\s*$")


@dataclass(frozen=True)
class AppRun:
    """What the app is asked to do, beyond a RunRequest.

    Attributes:
        tasks: "latency", "detect" or both.
        images: Name below the phone's image folder -> image file here; empty for noise.
        image_set: Name of that folder.
        score_threshold: For decoding; None: the spec's.
    """

    tasks: tuple[str, ...] = ("latency",)
    images: Mapping[str, Path] = field(default_factory=dict)
    image_set: str = "images"
    score_threshold: float | None = None


class AppMachine(AdbMachine):
    """A phone with the demo app installed.

    Attributes:
        task: What the app does in `run`.
    """

    def __init__(self, device: AdbDevice, facts: MachineFacts, task: AppRun) -> None:
        super().__init__(device, facts)
        self.task = task
        self._version = AppVersion()
        self._root = ""
        self._place = ""
        self._uncompiled: tuple[str, ...] = ()

    @property
    def _internal(self) -> bool:
        return self._place == "internal"

    @property
    def runner(self) -> Runner:
        """The app; its versions are known after the first run."""
        return Runner("app", self._version.runtime or "", self._version.version_name or "")

    def run(self, request: RunRequest) -> RunnerOutput:
        if request.profile:
            raise InputError("the app gives no operator profile: use --benchmark-model FILE with --profile")
        if request.frames is not None or request.outputs is not None:
            raise InputError("the app takes no raw frames: use evaluate-phone for photographs on a phone")
        result = self.measure(request, self.task)
        return replace(result.as_runner_output(), problems=(*self._uncompiled, *result.flags))

    def measure(self, request: RunRequest, task: AppRun) -> AppResult:
        """Run the app's benchmark mode once.

        Returns:
            The app's result, as BENCHMARK_MODE.md describes it.

        Raises:
            DeviceError: the app is not installed, the phone is locked, the app fails or dies, or the
                result is damaged.
        """
        self._require_usable()
        if not self._place:
            self._compile()
            self._prepare()
        run_id = f"run-{int(time.time() * 1000):x}"
        model = self._push(request.model, f"models/{sha256_of(request.model)[:16]}.tflite")
        sidecar = request.model.with_name(request.model.name + ".json")
        if sidecar.is_file():
            self._push(sidecar, f"{model}.json")
        images = self._push_images(task) if task.images else None
        extras = self._extras(run_id, model, images, request, task)
        with self._log() as lines:
            self._start(extras, stop=True)
            done = self._follow(lines, run_id, request)
        result = self._result(run_id, done)
        self._version = result.app
        return result

    def close(self) -> None:
        """Remove the models, images and results from the phone."""
        if self._root:
            self.device.remove(self._root)
        super().close()
        with suppress(DeviceError):
            self.device.shell(f"run-as {PACKAGE} rm -rf files/benchmark", timeout_s=10)

    def _require_usable(self) -> None:
        serial = self.device.serial
        if f"package:{PACKAGE}" not in self.device.shell(f"pm list packages {PACKAGE}").stdout.split():
            raise DeviceError(
                f"{serial}: the demo app is not installed; `adb install` it, or use --benchmark-model FILE"
            )
        window = self.device.shell("dumpsys window | grep -E 'mDreamingLockscreen|isKeyguardShowing'").stdout
        if re.search(r"(mDreamingLockscreen|isKeyguardShowing)=true", window):
            raise DeviceError(f"{serial} is locked: unlock its screen and keep it on, then repeat")

    def forget_images(self, image_set: str) -> None:
        """Remove a folder of images from the phone: the next ones need its room."""
        folder = shlex.quote(f"images/{image_set}")
        if self._internal:
            self.device.shell(f"run-as {PACKAGE} rm -rf files/benchmark/{folder}")
        else:
            self.device.shell(f"rm -rf {shlex.quote(self._root)}/{folder}")

    def _compile(self) -> None:
        """Have the app's own code compiled: just installed, it would be interpreted first and measured so."""
        done = self.device.shell(f"cmd package compile -m speed -f {PACKAGE}", timeout_s=300)
        if "Success" not in done.stdout:
            said = (done.stdout + done.stderr).strip().splitlines() or ["no answer"]
            self._uncompiled = (f"the app's code could not be compiled before the run: {said[-1]}",)

    def _prepare(self) -> None:
        """Find a folder that both sides can write and read, by trying: vendors differ."""
        ready = self._ready()
        roots = {place: str(root) for place in PLACES if (root := ready.get(f"{place}_root"))}
        for root in roots.values():
            self.device.shell(f"echo here > {shlex.quote(root)}/from_host")
        heard = self._ready().get("heard", [])
        for place, root in roots.items():
            if place in heard and self.device.shell(f"cat {shlex.quote(root)}/from_app").exit_code == 0:
                self._place, self._root = place, root
                return
        if self.device.shell(f"run-as {PACKAGE} true").exit_code != 0:
            raise DeviceError(
                f"{self.device.serial}: adb and the app share no folder (tried {', '.join(roots.values())}): "
                "free the phone's shared storage, or install a debuggable build"
            )
        self._place = "internal"

    def _ready(self) -> dict[str, Any]:
        with self._log() as lines:
            self._start(["--ez", "prepare", "true"], stop=False)
            return _wait(lines, "READY", self.device.serial)

    def _push(self, source: Path, name: str) -> str:
        """Bring a file below the app's root; its path relative to it."""
        if not self._internal:
            self.device.push(source, f"{self._root}/{name}")
            return name
        staged = f"{FOLDER}/{Path(name).name}"
        self.device.push(source, staged)
        self.device.check(f"chmod 644 {shlex.quote(staged)}")
        folder, target = (
            shlex.quote(f"files/benchmark/{Path(name).parent}"),
            shlex.quote(f"files/benchmark/{name}"),
        )
        self.device.check(f"run-as {PACKAGE} mkdir -p {folder}")
        self.device.check(f"run-as {PACKAGE} cp {shlex.quote(staged)} {target}")
        return name

    def _push_images(self, task: AppRun) -> str:
        target = f"images/{task.image_set}"
        for name, image in task.images.items():
            self._push(image, f"{target}/{name}")
        return target

    def _extras(
        self, run_id: str, model: str, images: str | None, request: RunRequest, task: AppRun
    ) -> list[str]:
        extras = ["--es", "run_id", run_id, "--es", "model", model, "--es", "tasks", ",".join(task.tasks)]
        extras += ["--es", "root", self._place]
        extras += ["--ei", "threads", str(request.threads), "--es", "delegate", DELEGATES[request.delegate]]
        extras += ["--ei", "warmup_runs", str(request.warmup_runs), "--ei", "runs", str(request.runs)]
        extras += ["--ei", "min_seconds", str(round(request.min_seconds))]
        extras += ["--ei", "max_seconds", str(max(1, round(request.max_seconds)))]
        if images is not None:
            extras += ["--es", "images", images]
        if task.score_threshold is not None:
            extras += ["--ef", "score_threshold", f"{task.score_threshold:g}"]
        if request.processors:
            extras += ["--es", "processors", ",".join(map(str, request.processors))]
        return extras

    def _start(self, extras: Sequence[str], stop: bool) -> None:
        line = " ".join(shlex.quote(extra) for extra in extras)
        done = self.device.shell(f"am start {'-S ' if stop else ''}-n {ACTIVITY} {line}")
        text = done.stdout + done.stderr
        if done.exit_code != 0 or "Error" in text:
            raise DeviceError(
                f"{self.device.serial}: the app's benchmark mode did not start: "
                f"{text.strip().splitlines()[-1]}"
            )

    @contextmanager
    def _log(self) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
        """The app's log lines from now on, as (word, JSON)."""
        with self.device.lines(f"logcat -T {OVERLAP} -v raw -s {TAG}:I", SILENCE_S) as lines:
            yield _events(lines)

    def _follow(
        self, lines: Iterator[tuple[str, dict[str, Any]]], run_id: str, request: RunRequest
    ) -> dict[str, Any]:
        limit = time.monotonic() + request.max_seconds * 2 + 600
        try:
            for word, value in lines:
                if time.monotonic() > limit:
                    break
                if value.get("run_id") not in (run_id, None):
                    continue
                if word == "FAILED":
                    raise DeviceError(f"{self.device.serial}: the app says: {value.get('error')}")
                if word == "DONE":
                    return value
        except KeyboardInterrupt:
            self.device.shell(f"am force-stop {PACKAGE}")
            raise
        except DeviceTimeoutError:
            if self._is_there(run_id):
                return {}
            running = self.device.shell(f"pidof {PACKAGE}").stdout.strip()
            if not running:
                raise DeviceError(
                    f"{self.device.serial}: the app ended without a result (crash?); see `adb logcat`"
                ) from None
            self.device.shell(f"am force-stop {PACKAGE}")
            raise
        if self._is_there(run_id):
            return {}
        raise DeviceError(f"{self.device.serial}: the app's log ended without a result; repeat with --resume")

    def _is_there(self, run_id: str) -> bool:
        """Whether a run's result is written: the log may have lost its last line."""
        path = f"results/{run_id}.json"
        if self._internal:
            return self.device.shell(f"run-as {PACKAGE} ls files/benchmark/{path}").exit_code == 0
        return self.device.shell(f"ls {shlex.quote(f'{self._root}/{path}')}").exit_code == 0

    def _result(self, run_id: str, done: dict[str, Any]) -> AppResult:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / f"{run_id}.json"
            self._fetch(f"results/{run_id}.json", target)
            if done and sha256_of(target) != done.get("sha256"):
                raise self._damaged("result")
            result = read_json(target)
            if result.get("schema") != SCHEMA:
                raise DeviceError(
                    f"the app writes results of schema {result.get('schema')}, expected {SCHEMA}: update it"
                )
            if result.get("status") == "failed":
                raise DeviceError(f"{self.device.serial}: the app says: {result.get('error')}")
            if result.get("images"):
                lines = Path(folder) / "images.jsonl"
                self._fetch(f"results/{run_id}.images.jsonl", lines)
                if sha256_of(lines) != result["images"]["sha256"]:
                    raise self._damaged("list of images")
                result["images"] = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
        return from_json(AppResult, result, f"{self.device.serial}: the app's result")

    def _fetch(self, name: str, target: Path) -> None:
        if self._internal:
            path = shlex.quote(f"files/benchmark/{name}")
            target.write_text(self.device.check(f"run-as {PACKAGE} cat {path}"), encoding="utf-8")
        else:
            self.device.pull(f"{self._root}/{name}", target)

    def _damaged(self, what: str) -> DeviceError:
        return DeviceError(f"{self.device.serial}: the app's {what} arrived damaged: repeat with --resume")


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in lines:
        if match := _LINE.match(line):
            with suppress(json.JSONDecodeError):
                yield match.group(1), json.loads(match.group(2))


def _wait(lines: Iterator[tuple[str, dict[str, Any]]], word: str, serial: str) -> dict[str, Any]:
    deadline = time.monotonic() + READY_TIMEOUT_S
    for found, value in lines:
        if found == word:
            return value
        if time.monotonic() > deadline:
            break
    raise DeviceError(
        f"{serial}: the app did not say {word} within {READY_TIMEOUT_S:.0f} s: is its screen on?"
    )


def app_machine(device: AdbDevice, facts: DeviceFacts, photographs: Path | None) -> AppMachine:
    """The app on a phone, to be timed on a folder of photographs or on noise.

    Raises:
        InputError: the device does not run Android, or there is no image in the folder.
    """
    if not facts.is_android:
        raise InputError(f"{device.serial} does not run Android, so it has no app: use --device adb")
    task = AppRun()
    if photographs is not None:
        images = {path.relative_to(photographs).as_posix(): path for path in list_images(photographs)}
        task = AppRun(images=images, image_set=photographs.resolve().name)
    return AppMachine(device, facts.as_machine(device.serial), task)


class App(Kind):
    """`--device app[:SERIAL]`."""

    form = "app[:SERIAL]"

    def require_name(self, name: str) -> None:
        """Only the adb server knows its devices."""

    def opened(self, name: str | None, wish: Wish) -> AbstractContextManager[Machine]:
        return over_adb(
            name,
            lambda device, facts: app_machine(device, facts, wish.photographs),
            keep_files=wish.keep_files,
        )


KIND = App()
