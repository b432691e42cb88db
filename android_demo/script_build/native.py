"""The app's C sources -> native libraries, without the NDK."""

from __future__ import annotations

from pathlib import Path

from android_demo.script_build.layout import MAIN, OUTPUT
from benchmark.runner.c_compiler import build_state, compile_c
from model.foundation.artifact import replacing

SOURCES = MAIN / "c"
NAME = "libfeatherface.so"
TARGETS = {
    "arm64-v8a": ("aarch64-linux-none", "-mcpu=cortex_a53"),
    "armeabi-v7a": ("arm-linux-none", "-mcpu=cortex_a7"),
    "host": ("x86_64-linux-none", "-mcpu=x86_64"),
}
"""What the library is built for; `host` is for the tests on this machine's JVM.

The 32-bit one uses vectors, as is the NDK's default. Its calling convention hands floating-point numbers over
in registers, which Android's does not: no call of this library passes one."""

FLAGS = ("-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fPIC", "-fvisibility=hidden")
"""Freestanding: bionic's C library is not here to link with, and what the sources do needs none."""

LINK = (
    "-nostdlib",
    "-shared",
    "-s",
    "-Wl,-z,max-page-size=16384",
    f"-Wl,-soname,{NAME}",
    "-Wl,--no-undefined",
)
NO_TABLES = ("-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-exceptions")
"""Nothing is thrown here, and on 32-bit ARM the tables would ask for a function of the C++ runtime."""


def library(abi: str) -> Path:
    """The native library for an ABI of Android or for `host`, built once for each state of its sources.

    Raises:
        InputError: the compiler is missing or fails; carries its first error.
    """
    sources = sorted(SOURCES.glob("*.[ch]"))
    triple, processor = TARGETS[abi]
    options = (processor, *FLAGS, *NO_TABLES, *LINK)
    state = build_state(sources, (triple, *options))
    target, stamp = OUTPUT / "native" / abi / NAME, OUTPUT / "native" / abi / "state"
    if target.is_file() and stamp.is_file() and stamp.read_text() == state:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        compile_c(options, [path for path in sources if path.suffix == ".c"], temporary, triple)
    stamp.write_text(state)
    return target
