"""The app's C sources -> native libraries, with the compiler that the package ziglang carries: no NDK."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from android_demo.script_build.layout import MAIN, OUTPUT
from model.foundation.artifact import replacing
from model.foundation.errors import InputError

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
    options = (*TARGETS[abi], *FLAGS, *NO_TABLES, *LINK)
    digest = hashlib.sha256(repr((options, compiler_version())).encode())
    for source in sources:
        digest.update(source.name.encode() + source.read_bytes())
    target, stamp = OUTPUT / "native" / abi / NAME, OUTPUT / "native" / abi / "state"
    if target.is_file() and stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        compile_c(options, [path for path in sources if path.suffix == ".c"], temporary)
    stamp.write_text(digest.hexdigest())
    return target


def compile_c(options: tuple[str, ...], sources: list[Path], output: Path) -> None:
    """Run the C compiler; the first of `options` is the target.

    Raises:
        InputError: it fails; carries its first error.
    """
    command = [sys.executable, "-m", "ziglang", "cc", "-target", *options]
    command += [*map(str, sources), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        said = (errors or done.stderr.splitlines()[-1:] or [str(done.returncode)])[0]
        raise InputError(f"building {output.name} for {options[0]} failed: {said}")


def compiler_version() -> str:
    """The version of the package ziglang.

    Raises:
        InputError: it is not installed.
    """
    try:
        return version("ziglang")
    except PackageNotFoundError:
        raise InputError("the app's C sources need the package ziglang: install the dependencies") from None
