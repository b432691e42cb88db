"""Builds the C runner for this host or for ARM with the compiler that the package ziglang carries."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model.foundation.cache import cache_folder, filling
from model.foundation.errors import InputError

SOURCES = Path(__file__).resolve().parent
GLIBC = "2.34"
"""The C library that LiteRT's wheels need: a runner for an older one could not start anyway."""
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")


def runner_for(target: str, library: Path) -> Path:
    """The runner as an executable, built once for each state of its sources.

    Args:
        target: "arm64" or "host".
        library: The folder with libLiteRt.so for that machine.

    Raises:
        InputError: the target is unknown or the compiler fails; carries its first error.
    """
    triples = {"arm64": "aarch64-linux-gnu", "host": f"{platform.machine()}-linux-gnu"}
    if target not in triples or sys.platform != "linux":
        raise InputError(f"the runner can be built for {' and '.join(triples)} on Linux, found {target}")
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(repr((triples[target], FLAGS, compiler_version())).encode())
    for source in sources:
        digest.update(source.name.encode() + source.read_bytes())
    folder = cache_folder() / "runner" / f"{target}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        with filling(folder) as temporary:
            _compile(f"{triples[target]}.{GLIBC}", library, temporary / "litert_runner")
    return folder / "litert_runner"


def compiler_version() -> str:
    """The version of the package ziglang.

    Raises:
        InputError: it is not installed.
    """
    try:
        return version("ziglang")
    except PackageNotFoundError:
        raise InputError("building the runner needs the package ziglang: install the dependencies") from None


def _compile(triple: str, library: Path, output: Path) -> None:
    command = ["-target", triple, *FLAGS, *(str(source) for source in sorted(SOURCES.glob("*.c")))]
    # The library's own needs (libstdc++) are met on the machine that runs it, not here.
    command += [f"-L{library}", "-lLiteRt", "-lm", "-Wl,--allow-shlib-undefined", "-Wl,-rpath,$ORIGIN"]
    compile_c([*command, "-o", str(output)], f"the runner for {triple}")


def compile_c(arguments: Sequence[str], what: str) -> None:
    """Run the C compiler that the package ziglang carries.

    Raises:
        InputError: it fails; carries its first error.
    """
    command = [sys.executable, "-m", "ziglang", "cc", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.splitlines() or [str(done.returncode)]
        first = next((line for line in lines if "error:" in line), lines[-1])
        raise InputError(f"building {what} failed: {first}")
