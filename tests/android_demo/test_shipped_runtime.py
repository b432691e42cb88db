"""The APK's own TensorFlow Lite on an emulated core: LiteRT's bytes, at the cost that the pages state."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from android_demo.script_build import layout, package
from benchmark.devices.kind import Wish, parse_device
from benchmark.devices.machine import CountingMachine, RunRequest
from benchmark.devices.method import Counting
from benchmark.devices.results import Setting
from benchmark.emulation import app_runtime
from benchmark.runner.output import Delegated

MODEL = layout.ROOT / "build" / "featherface_v2_320x320_int8.tflite"
INSTRUCTIONS = 44.97e6
PARTS = (112, 113, 2)


@pytest.fixture
def apk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive with the libraries of the app, where `make android` leaves it."""
    monkeypatch.chdir(tmp_path)
    app_runtime.APK.parent.mkdir(parents=True)
    with zipfile.ZipFile(app_runtime.APK, "w") as archive:
        for name, content in package.libraries().items():
            archive.writestr(name, content)
    return app_runtime.APK.resolve()


def litert_outputs(model: Path) -> bytes:
    """What LiteRT makes of the same noise."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    state, values = 1, bytearray()
    for _ in range(int(np.prod(entry["shape"]))):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append(state >> 24)
    interpreter.set_tensor(entry["index"], np.frombuffer(bytes(values), np.uint8).reshape(entry["shape"]))
    interpreter.invoke()
    details = interpreter.get_output_details()
    return b"".join(interpreter.get_tensor(detail["index"]).tobytes() for detail in details)


@pytest.mark.arm
@pytest.mark.android
@pytest.mark.slow
@pytest.mark.skipif(not MODEL.is_file(), reason="there is no model in build/: run 'make tflite'")
@pytest.mark.usefixtures("apk")
def test_the_library_of_the_apk_gives_litert_s_bytes_at_the_stated_cost(tmp_path: Path) -> None:
    kind, name = parse_device("arm64-app:cortex-a53")
    with kind.opened(name, Wish(counting=True)) as machine:
        assert isinstance(machine, CountingMachine)
        one = Counting(machine).measure(MODEL, Setting(), profile=True)
        outputs = machine.run(RunRequest(MODEL, runs=1, min_seconds=0, outputs=tmp_path / "raw")).outputs
    raw = b"".join((tmp_path / "raw" / f"{index}.raw").read_bytes() for index in range(len(outputs)))
    assert raw == litert_outputs(MODEL)
    assert (one.machine.kind, one.runner.runtime) == ("emulated-arm64-app", "TensorFlow Lite 2.16.1")
    assert one.instructions is not None
    assert one.instructions.delegated == Delegated(*PARTS)
    assert one.instructions.count == pytest.approx(INSTRUCTIONS, rel=0.01)
    pads = sum(operator.share for operator in one.operators if "Pad" in operator.kind)
    assert pads < 0.01
    left_over = [operator.kind for operator in one.operators if not operator.kind.startswith("Delegate/")]
    assert sorted(left_over) == ["QUANTIZE"]
    assert sum(operator.share for operator in one.operators) == pytest.approx(1, abs=0.01)
