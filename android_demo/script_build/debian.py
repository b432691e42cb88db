"""The command-line tools that Debian packages: aapt2, apksigner, adb, and QEMU for tests."""

from __future__ import annotations

import shutil
import subprocess

from model.foundation.errors import InputError

PACKAGES = {
    "aapt2": "aapt",
    "apksigner": "apksigner",
    "adb": "adb",
    "qemu-aarch64": "qemu-user",
    "qemu-arm": "qemu-user",
}


def tool(name: str) -> str:
    """The path of a tool.

    Raises:
        InputError: it is missing; the message has the command that installs it.
    """
    if found := shutil.which(name):
        return found
    raise InputError(
        f"{name} is not installed: 'apt-get install {PACKAGES[name]}', or put it on the PATH "
        "(the app's build takes aapt and apksigner)"
    )


def run(name: str, *arguments: object) -> str:
    """Run a tool and return what it prints.

    Raises:
        InputError: it fails; the message holds its first line of complaint.
    """
    done = subprocess.run([tool(name), *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines() or ["no message"]
        raise InputError(f"{name} {arguments[0]} failed: {' | '.join(said[:6])}")
    return done.stdout
