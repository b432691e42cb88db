"""Packages of the npm registry, fetched through npm's own client and unpacked into a folder of our own.

Going through the client honours the user's registry, proxy and credentials (.npmrc).
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from model.foundation.cache import filling
from model.foundation.errors import InputError


@dataclass(frozen=True)
class NpmPackage:
    """One package, pinned.

    Attributes:
        name: E.g. "@litertjs/core".
        version: E.g. "2.5.3".
        integrity: SHA-512 of the archive in base64, as registries and lock files write it behind "sha512-".
    """

    name: str
    version: str
    integrity: str

    @property
    def key(self) -> str:
        """A folder name that changes with the package."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}"


def unpacked(package: NpmPackage, folder: Path) -> Path:
    """Fetch and unpack `package` below `folder`, once; what it depends on is not fetched.

    Raises:
        InputError: there is no npm, or the package cannot be fetched or has another hash.
    """
    root = folder / package.key
    if root.is_dir():
        return root
    with filling(root) as temporary:
        archive = _packed(package, temporary)
        _check(archive, package)
        with tarfile.open(archive) as content:
            content.extractall(temporary, filter="data")
        archive.unlink()
        for part in (temporary / "package").iterdir():  # npm packs everything into this folder
            part.rename(temporary / part.name)
        (temporary / "package").rmdir()
    return root


def _packed(package: NpmPackage, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(
            f"fetching {package.name} needs npm, which was not found: install Node.js (Debian's package npm)"
        )
    command = [npm, "pack", "--ignore-scripts", "--silent", f"{package.name}@{package.version}"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    archives = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["npm pack failed"]
        raise InputError(f"{package.name} {package.version}: {lines[0]}")
    return archives[0]


def _check(archive: Path, package: NpmPackage) -> None:
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.integrity:
        raise InputError(
            f"{package.name} {package.version}: expected SHA-512 {package.integrity}, found {found}; "
            "the registry delivers another file than the one that was pinned"
        )
