"""Layouts, strings and the manifest -> a resource APK and the class R, with aapt2 and javac."""

from __future__ import annotations

import shutil
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
    options = ["--min-sdk-version", MIN_SDK, "--target-sdk-version", TARGET_SDK, "--debug-mode"]
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
    path.write_text(text.replace("<manifest ", f'<manifest package="{PACKAGE}" ', 1), encoding="utf-8")
    return path


def _framework() -> Path:
    """Only the resource table of the framework jar, which aapt2 reads much faster than the whole."""
    small = OUTPUT / "framework-24.apk"
    if not small.is_file():
        with zipfile.ZipFile(files_of("oldest-framework")[0]) as jar, zipfile.ZipFile(small, "w") as target:
            for name in ("AndroidManifest.xml", "resources.arsc"):
                if name in jar.namelist():
                    target.writestr(name, jar.read(name))
    return small
