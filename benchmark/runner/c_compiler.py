"""The one module that calls the C compiler: the one that the package ziglang carries, for any target."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model.foundation.errors import InputError


def compile_c(options: Sequence[str], sources: Sequence[Path], output: Path, target: str = "") -> None:
    """Run the compiler.

    Args:
        options: As clang takes them; libraries are searched for what the sources need.
        sources: C files.
        output: File to write.
        target: Machine, system and C library ("aarch64-linux-gnu.2.34"); this computer's unless said.

    Raises:
        InputError: it fails; carries its first error.
    """
    command = [sys.executable, "-m", "ziglang", "cc", *(("-target", target) if target else ())]
    command += [*map(str, sources), *options, "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.splitlines() or [str(done.returncode)]
        first = next((line for line in lines if "error:" in line), lines[-1])
        where = f" for {target}" if target else ""
        raise InputError(f"building {output.name}{where} failed: {first}")


def build_state(sources: Sequence[Path], options: Sequence[str]) -> str:
    """A hash that changes with the sources, their names, the options or the compiler's version.

    Raises:
        InputError: the compiler is not installed.
    """
    try:
        compiler = version("ziglang")
    except PackageNotFoundError:
        raise InputError("building C sources needs the package ziglang: run 'make setup'") from None
    digest = hashlib.sha256(repr((tuple(options), compiler)).encode())
    for source in sources:
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()
