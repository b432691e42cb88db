"""Builds the C runner for this host or for ARM, with LiteRT or with the app's TensorFlow Lite."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from benchmark.runner.c_compiler import build_state, compile_c
from model.foundation.cache import cache_folder, filling
from model.foundation.errors import InputError

SOURCES = Path(__file__).resolve().parent
GLIBC = "2.34"
"""The C library that LiteRT's wheels need: a runner for an older one could not start anyway."""
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{SOURCES}")
LINK = ("-lm", "-Wl,--allow-shlib-undefined", "-Wl,-rpath,$ORIGIN")
"""The library's own needs (libstdc++) are met on the machine that runs it, not here."""

APP_LINK = ("-rdynamic", "-Wl,--no-as-needed")
"""The library that ships finds Android's C library in the program, and glibc's mathematics through it."""


def runner_for(target: str, library: Path) -> Path:
    """The runner with LiteRT as an executable, built once for each state of its sources.

    Args:
        target: "arm64" or "host".
        library: The folder with libLiteRt.so for that machine.

    Raises:
        InputError: the target is unknown or the compiler fails; carries its first error.
    """
    triples = {"arm64": "aarch64-linux-gnu", "host": f"{platform.machine()}-linux-gnu"}
    if target not in triples or sys.platform != "linux":
        raise InputError(f"the runner can be built for {' and '.join(triples)} on Linux, found {target}")
    return _built("litert", triples[target], (f"-L{library}", "-lLiteRt", *LINK))


def app_runner(library: Path) -> Path:
    """The runner with the app's TensorFlow Lite for the guest, built once for each state of its sources.

    Args:
        library: The folder with `app_runtime.LIBRARY`, made ready for glibc.

    Raises:
        InputError: the compiler fails; carries its first error.
    """
    return _built("app", "aarch64-linux-gnu", (f"-L{library}", *APP_LINK, "-ltensorflowlite_jni", *LINK))


def _built(runtime: str, triple: str, link: tuple[str, ...]) -> Path:
    folders = (SOURCES, SOURCES / runtime)
    files = [path for folder in folders for path in sorted(folder.glob("*.[ch]"))]
    # The libraries' folders are named by what is in them.
    state = build_state(files, (triple, *FLAGS, *link))
    folder = cache_folder() / "runner" / f"{runtime}-{triple.split('-', maxsplit=1)[0]}-{state[:16]}"
    if not folder.is_dir():
        with filling(folder) as temporary:
            sources = [path for path in files if path.suffix == ".c"]
            compile_c([*FLAGS, *link], sources, temporary / f"{runtime}_runner", f"{triple}.{GLIBC}")
    return folder / f"{runtime}_runner"
