"""Builds the C runner for this host or for ARM."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from model.foundation.c_compiler import build_state, compile_c
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
    state = build_state(sorted(SOURCES.glob("*.[ch]")), (triples[target], *FLAGS))
    folder = cache_folder() / "runner" / f"{target}-{state[:16]}"
    if not folder.is_dir():
        with filling(folder) as temporary:
            _compile(f"{triples[target]}.{GLIBC}", library, temporary / "litert_runner")
    return folder / "litert_runner"


def _compile(triple: str, library: Path, output: Path) -> None:
    # The library's own needs (libstdc++) are met on the machine that runs it, not here.
    linked = [f"-L{library}", "-lLiteRt", "-lm", "-Wl,--allow-shlib-undefined", "-Wl,-rpath,$ORIGIN"]
    compile_c([*FLAGS, *linked], sorted(SOURCES.glob("*.c")), output, triple)
