"""The command-line tools that Debian packages: aapt2, apksigner, adb, and QEMU for tests."""

from __future__ import annotations

import os
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
    """The path of a tool; installs its Debian package if it is missing and that is allowed.

    Raises:
        InputError: it is missing and cannot be installed.
    """
    if found := shutil.which(name):
        return found
    package = PACKAGES[name]
    advice = f"install Debian's package '{package}' (apt-get install {package}) or put {name} on the PATH"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise InputError(f"{name} is not installed: {advice}")
    print(f"installing Debian's package {package}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
        subprocess.run(command, capture_output=True, check=False, env=environment)
    if found := shutil.which(name):
        return found
    raise InputError(f"{name} could not be installed: {advice}")


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
