"""The APK's own TensorFlow Lite on an emulated core: LiteRT's bytes, at the cost that the page states."""

from __future__ import annotations

import re
import statistics
import struct
from pathlib import Path

import numpy as np
import pytest

from android_demo.script_build import layout
from model.foundation.c_compiler import compile_c

HERE = Path(__file__).parent / "native"
TARGET, FLAGS = "aarch64-linux-gnu.2.34", ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
MODEL = layout.MODELS / "featherface_v2_320x320_int8.tflite"
INSTRUCTIONS = 73.5e6
PARTS = (137, 141, 4)

VERSIONS = (0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF)
UNUSED = 0x6FFFFEF9
"""Entries about symbol versions, and one that a loader only reads for its own statistics. Source: elf.h."""


def without_versions(library: bytes) -> bytes:
    """The library with no say about the versions of symbols: Android's name them otherwise than glibc."""
    changed = bytearray(library)
    start, count = struct.unpack_from("<Q", changed, 32)[0], struct.unpack_from("<H", changed, 56)[0]
    for number in range(count):
        kind, _, at = struct.unpack_from("<IIQ", changed, start + 56 * number)
        tag = -1
        while kind == 2 and tag:
            tag = struct.unpack_from("<Q", changed, at)[0]
            if tag in VERSIONS:
                struct.pack_into("<QQ", changed, at, UNUSED, 0)
            at += 16
    return bytes(changed)


def parts_of(folder: Path) -> list[Path]:
    """Everything that runs on the emulated machine."""
    from android_demo.script_build.kotlin import runtime_jars

    runtime_jars()
    (shipped,) = (layout.OUTPUT / "runtime").glob("tensorflow-lite-2*/jni/arm64-v8a/libtensorflowlite_jni.so")
    (folder / shipped.name).write_bytes(without_versions(shipped.read_bytes()))
    (folder / "math.c").write_text("#include <math.h>\ndouble of(double x) { return tgamma(x); }\n")
    (folder / "none.c").write_text("int none;\n")
    sources = {"libc": HERE / "bionic_shim.c", "libm": folder / "math.c"}
    for name in ("libc", "libm", "libdl", "liblog"):
        options = (*FLAGS, "-shared", "-fPIC", f"-Wl,-soname,{name}.so", "-lm")
        compile_c(options, [sources.get(name, folder / "none.c")], folder / f"{name}.so", TARGET)
    compile_c(FLAGS, [HERE / "shipped_runtime.c"], folder / "shipped_runtime", TARGET)
    return [*folder.glob("*.so"), folder / "shipped_runtime"]


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
def test_the_library_of_the_apk_gives_litert_s_bytes_at_the_stated_cost(tmp_path: Path) -> None:
    from benchmark.emulation.guest import running_guest

    with running_guest("cortex-a53", counting=True, fetch=False) as guest:
        for part in [*parts_of(tmp_path), MODEL]:
            guest.device.push(part, f"/tmp/app/{part.name}")
        said = guest.device.check(
            "cd /tmp/app && LD_PRELOAD=/tmp/app/libc.so LD_LIBRARY_PATH=/tmp/app "
            f"./shipped_runtime ./libtensorflowlite_jni.so {MODEL.name} 5 outputs 2>&1",
            timeout_s=300,
        )
        guest.device.pull("/tmp/app/outputs", tmp_path / "outputs")
    assert (tmp_path / "outputs").read_bytes() == litert_outputs(MODEL)
    parts = re.search(r"Replacing (\d+) out of (\d+) node\(s\).* yielding (\d+) partitions", said)
    assert parts is not None
    assert tuple(map(int, parts.groups())) == PARTS
    counts = [int(line) for line in said.splitlines() if line.isdigit()]
    assert statistics.median(counts) == pytest.approx(INSTRUCTIONS, rel=0.01)
