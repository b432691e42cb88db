"""Layouts, strings and the manifest -> a resource APK and the class R, with aapt2 and javac."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

from android_demo.script_build.debian import run
from android_demo.script_build.layout import (
    MAIN,
    MIN_SDK,
    OUTPUT,
    PACKAGE,
    TARGET_SDK,
    VERSION_CODE,
    VERSION_NAME,
)
from android_demo.script_build.pins import files_of
from model.foundation.errors import InputError

RESOURCE_MAP = 0x0180
STAND_IN, SHELL = 0x010102B8, 0x01010594
"""android:vmSafeMode and android:shell. Source: android.R.attr of the framework's jar."""

GENERATED = OUTPUT / "generated"
RESOURCE_APK = OUTPUT / "resources.apk"


def link() -> Path:
    """Compile and link the resources.

    Against API 24's table, not the newest: Debian's aapt2 cannot read newer ones (sparse entries), and it
    makes sure that nothing is used that the oldest supported Android lacks.

    Returns:
        The folder with R's class files; RESOURCE_APK holds the manifest and the resources.
    """
    compiled = OUTPUT / "resources.zip"
    sources = OUTPUT / "r"
    for folder in (GENERATED, sources):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    run("aapt2", "compile", "--dir", MAIN / "res", "-o", compiled)
    options = ["--min-sdk-version", MIN_SDK, "--target-sdk-version", TARGET_SDK]
    options += ["--version-code", VERSION_CODE, "--version-name", VERSION_NAME, "--auto-add-overlay"]
    run(
        "aapt2",
        "link",
        "-I",
        _framework(),
        "--manifest",
        _manifest(),
        "--java",
        sources,
        "-o",
        RESOURCE_APK,
        *options,
        compiled,
    )
    _make_profileable(RESOURCE_APK)
    java = [str(path) for path in sources.rglob("*.java")]
    done = subprocess.run(
        ["javac", "--release", "11", "-d", str(GENERATED), *java], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputError(f"R.java does not compile: {done.stderr.strip()}")
    return GENERATED


def _manifest() -> Path:
    """The manifest with the package, which Gradle takes from its build file."""
    text = (MAIN / "AndroidManifest.xml").read_text(encoding="utf-8")
    path = OUTPUT / "AndroidManifest.xml"
    text = text.replace("<manifest ", f'<manifest package="{PACKAGE}" ', 1)
    path.write_text(text.replace("android:shell=", "android:vmSafeMode="), encoding="utf-8")
    return path


def _make_profileable(apk: Path) -> None:
    """Give the attribute of <profileable> its true number in a linked APK.

    `android:shell` came with Android 10, and the table that aapt2 can read is older: the attribute is linked
    under a name of that time that nothing else here uses. Android knows attributes by their numbers alone.

    Raises:
        InputError: the stand-in is not there exactly once.
    """
    with zipfile.ZipFile(apk) as archive:
        contents = [(entry, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(apk, "w") as archive:
        for entry, content in contents:
            is_manifest = entry.filename == "AndroidManifest.xml"
            archive.writestr(entry, with_resource_id(content, STAND_IN, SHELL) if is_manifest else content)


def with_resource_id(manifest: bytes, old: int, new: int) -> bytes:
    """A binary manifest in which an attribute's number is another.

    Source: Android's ResourceTypes.h: chunks of a type, a header's size and a whole one; the resource map
    lists the attributes' numbers in the order of the first strings.

    Raises:
        InputError: the number is not there exactly once.
    """
    at = 8
    while at < len(manifest):
        kind, header, size = struct.unpack_from("<HHI", manifest, at)
        if kind == RESOURCE_MAP:
            numbers = list(struct.unpack_from(f"<{(size - header) // 4}I", manifest, at + header))
            if numbers.count(old) == 1:
                place = at + header + 4 * numbers.index(old)
                return manifest[:place] + struct.pack("<I", new) + manifest[place + 4 :]
        at += max(size, 8)
    raise InputError(f"expected attribute {old:#x} once in the linked manifest: was <profileable> changed?")


def _framework() -> Path:
    """Only the resource table of the framework jar, which aapt2 reads much faster than the whole."""
    small = OUTPUT / "framework-24.apk"
    if not small.is_file():
        with zipfile.ZipFile(files_of("oldest-framework")[0]) as jar, zipfile.ZipFile(small, "w") as target:
            for name in ("AndroidManifest.xml", "resources.arsc"):
                if name in jar.namelist():
                    target.writestr(name, jar.read(name))
    return small
