"""Many images on a phone: in batches, and none of them twice."""

from __future__ import annotations

import pytest
from PIL import Image

from benchmark.adb.client import AdbDevice
from benchmark.adb.facts import MachineFacts
from benchmark.devices.kinds.app import AppMachine, AppRun
from benchmark.devices.machine import RunRequest
from benchmark.errors import DeviceError
from benchmark.phone.batches import detect_in_batches


def test_images_go_in_batches_and_what_is_done_stays_done(app, tflite_file, tmp_path):
    images = {}
    for number in range(5):
        images[f"{number}.png"] = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8 + number)).save(images[f"{number}.png"])
    task, request = AppRun(("detect",), images, "set"), RunRequest(tflite_file)

    def machine() -> AppMachine:
        return AppMachine(AdbDevice("PIXEL"), MachineFacts("adb", "adb:PIXEL", "PIXEL"), task)

    app.phone.vanish_on = "images/set/4.png"
    with pytest.raises(DeviceError):
        detect_in_batches(machine(), request, task, tmp_path / "parts", batch=2)
    (kept,) = (tmp_path / "parts").glob("*.jsonl")
    assert len(kept.read_text().splitlines()) == 2
    app.phone.vanish_on = ""
    app.phone.state = "device"
    runs = len(app.extras)
    found = detect_in_batches(machine(), request, task, tmp_path / "parts", batch=2)
    assert [entry.file for entry in found.images or ()] == [f"images/set/{name}" for name in images]
    assert len([extras for extras in app.extras[runs:] if "run_id" in extras]) == 1
    assert not any("images/set" in path for path in app.phone.files)
