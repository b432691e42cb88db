"""Debian packages of any release and architecture, fetched by apt into a folder of our own.

Nothing on the machine is changed: apt works on private lists, a private (empty) list of installed packages
and a private archive, and `dpkg -x` unpacks. That needs no root. The mirror is the one that the machine's own
apt uses; apt checks every file against the release's signature.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.foundation.cache import filling
from model.foundation.errors import InputError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR_VARIABLE = "FEATHERFACE_DEBIAN_MIRROR"
UPDATE_TRIES = 3
"""A mirror that is being synchronised serves a list that does not fit its hash; a moment later it does."""


@dataclass(frozen=True)
class Packages:
    """A set of packages to unpack together.

    Attributes:
        release: Debian release, e.g. "trixie".
        architecture: Debian's name, e.g. "arm64".
        with_dependencies: Packages that are fetched with everything they depend on.
        alone: Packages that are fetched without their dependencies.
    """

    release: str
    architecture: str
    with_dependencies: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A folder name that changes with the set."""
        names = ",".join((*self.with_dependencies, "", *self.alone))
        digest = hashlib.sha256(names.encode()).hexdigest()[:8]
        return f"{self.release}-{self.architecture}-{digest}"


def host_architecture() -> str:
    """Debian's name of this machine's architecture.

    Raises:
        InputError: this machine has no dpkg or no apt.
    """
    for program in ("dpkg", "apt-get", "apt-cache"):
        if shutil.which(program) is None:
            raise InputError(
                f"emulated ARM needs {program}: use a Debian or Ubuntu machine (a container of one will do)"
            )
    return _output(["dpkg", "--print-architecture"]).strip()


def debian_mirror() -> str:
    """The address of the Debian mirror in this machine's apt sources, or in FEATHERFACE_DEBIAN_MIRROR.

    Raises:
        InputError: there is none (e.g. on Ubuntu, where the variable must be set).
    """
    if mirror := os.environ.get(MIRROR_VARIABLE):
        return mirror
    listed = _output(["apt-get", "indextargets", "--format", "$(REPO_URI)"]).split()
    for address in listed:
        if address.rstrip("/").endswith("/debian"):
            return address
    raise InputError(
        f"no Debian mirror in this machine's apt sources: set {MIRROR_VARIABLE} to the address of one"
    )


def unpacked(packages: Packages, folder: Path) -> Path:
    """Fetch and unpack `packages` below `folder`, once.

    Returns:
        The folder that holds the packages' files (`usr/...`).

    Raises:
        InputError: no mirror, no Debian keyring, or apt fails (its own last message is repeated).
    """
    root = folder / packages.key
    if root.is_dir():
        return root
    with filling(root) as temporary:
        archives = _download(packages, folder / "apt" / f"{packages.release}-{packages.architecture}")
        for archive in archives:
            _output(["dpkg", "-x", str(archive), str(temporary)])
        (temporary / "PACKAGES.txt").write_text(
            "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in archives)
        )
        shutil.rmtree(archives[0].parent)
    return root


def _download(packages: Packages, state: Path) -> list[Path]:
    """Fetch the archives with a private apt whose state is kept in `state`."""
    environment = _private_apt(packages, state)
    _update(environment)
    archives = state / "cache" / "archives"
    if packages.with_dependencies:
        _output(
            ["apt-get", "install", "-y", "-qq", "--download-only", *packages.with_dependencies], environment
        )
    for name in packages.alone:
        _output(["apt-get", "download", "-qq", _newest(name, environment)], environment, archives)
    found = sorted(archives.glob("*.deb"))
    if not found:
        raise InputError(f"apt fetched none of {packages.with_dependencies + packages.alone}")
    return found


def _newest(name: str, environment: dict[str, str]) -> str:
    """The package itself, or the one that its name stands for (linux-image-... -> a version)."""
    listed = _output(
        ["apt-cache", "depends", "--no-recommends", "--no-suggests", name], environment
    ).splitlines()
    depends = [line.split(":", 1)[1].strip() for line in listed if line.strip().startswith("Depends:")]
    stem = name.split(":", maxsplit=1)[0]
    prefix, suffix = stem.rsplit("-", 2)[0], "-".join(stem.rsplit("-", 2)[1:])
    for other in depends:
        if other.startswith(prefix) and other.split(":")[0].endswith(suffix):
            return other
    return name


def _private_apt(packages: Packages, state: Path) -> dict[str, str]:
    """Write the private apt's configuration; the environment that makes apt use it."""
    if not KEYRING.is_file():
        raise InputError(f"{KEYRING} is missing: install the package debian-archive-keyring")
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    components = f"deb [signed-by={KEYRING}] {debian_mirror()} {packages.release} main\n"
    (state / "sources.list").write_text(components)
    settings = {
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": packages.architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    # Replaces the list instead of adding to the machine's own foreign architectures.
    lines += ["#clear APT::Architectures;", f'APT::Architectures {{ "{packages.architecture}"; }};']
    (state / "apt.conf").write_text("\n".join(lines) + "\n")
    return {**os.environ, "APT_CONFIG": str(state / "apt.conf"), "LC_ALL": "C"}


def _update(environment: dict[str, str]) -> None:
    for attempt in range(1, UPDATE_TRIES + 1):
        try:
            _output(["apt-get", "update", "-qq", "-o", "APT::Update::Error-Mode=any"], environment)
            return
        except InputError:
            if attempt == UPDATE_TRIES:
                raise


def _output(
    command: Sequence[str], environment: dict[str, str] | None = None, folder: Path | None = None
) -> str:
    """Run a command and return what it prints.

    Raises:
        InputError: it fails; carries the last line it wrote.
    """
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise InputError(f"`{' '.join(command[:4])} ...` failed: {lines[-1] if lines else done.returncode}")
    return done.stdout
