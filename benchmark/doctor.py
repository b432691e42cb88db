"""What of the tool chain is here, which version, and how to get what is missing."""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass

from model.foundation.artifact import tool_versions

PACKAGES = (
    "torch",
    "onnx",
    "onnxruntime",
    "onnxsim",
    "litert-torch",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "numpy",
    "opencv-python-headless",
    "scikit-image",
    "adbutils",
    "pytest",
    "ruff",
    "mypy",
)


@dataclass(frozen=True)
class Program:
    """A program outside the Python environment.

    Attributes:
        name: What to run.
        version_flag: Makes it print its version.
        needed_for: The make targets that call it.
        debian_package: Where Debian has it.
    """

    name: str
    version_flag: str
    needed_for: str
    debian_package: str


PROGRAMS = (
    Program("git", "--version", "a clone", "git"),
    Program("gcc", "--version", "benchmark on this computer", "gcc"),
    Program("java", "-version", "android, android-test", "openjdk-17-jdk-headless"),
    Program("mvn", "-version", "android, android-test", "maven"),
    Program("aapt2", "version", "android", "aapt"),
    Program("apksigner", "--version", "android", "apksigner"),
    Program("adb", "--version", "android-install, benchmark over adb", "adb"),
    Program(
        "qemu-system-aarch64", "--version", "arm (make arm fetches its own where it may)", "qemu-system-arm"
    ),
    Program("npm", "--version", "demo, which fetches the browser's runtime once", "npm"),
    Program("node", "--version", "the tests of demo's page", "nodejs"),
)


def doctor() -> int:
    """Say what of the tool chain is here, which version, and how to get what is missing.

    Exits with 2 if a Python package is missing: without them nothing works.
    """
    from rich.console import Console

    from model.foundation.command_line.terminal import narrow_table

    title = f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}"
    table = narrow_table("what", "version", "needed for", "if it is missing", title=title)
    versions = tool_versions(*PACKAGES)
    for package in PACKAGES:
        table.add_row(package, versions.get(package, "[red]missing[/red]"), "everything", "make setup")
    for program in PROGRAMS:
        found = _version(program)
        table.add_row(
            program.name,
            found or "[yellow]missing[/yellow]",
            program.needed_for,
            f"apt-get install {program.debian_package}",
        )
    Console().print(table)
    return 0 if len(versions) == len(PACKAGES) else 2


def _version(program: Program) -> str:
    """The first line of what it says of itself, or nothing if it is not on the path."""
    path = shutil.which(program.name)
    if path is None:
        return ""
    said = subprocess.run([path, program.version_flag], capture_output=True, text=True, check=False)
    lines = (said.stdout or said.stderr).strip().splitlines()
    return lines[0][:60] if lines else "present"
