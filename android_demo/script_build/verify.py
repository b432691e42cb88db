"""Looks into a finished APK and says whether it is what it should be."""

from __future__ import annotations

import os
import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from android_demo.script_build import elf16k, native
from android_demo.script_build.debian import run
from android_demo.script_build.layout import ASSETS, MIN_SDK, PACKAGE, TARGET_SDK
from android_demo.script_build.package import ABIS, LIBRARY_ALIGNMENT, models_inside
from android_demo.script_build.resources import SHELL
from model.foundation.errors import GateError

PERMISSIONS = {"android.permission.CAMERA", "android.permission.WAKE_LOCK"}

DEBUGGABLE = 0x0101000F
"""android:debuggable. Such an app runs slower: ART inlines nothing, so that a debugger finds every call."""

ONLY_4_KB = "libtensorflowlite_gpu_jni.so"
"""The GPU delegate of Maven Central: its code and data share a 16 KB page. On a phone with such pages the app
says that the GPU cannot be used; everything else runs. Gradle takes a newer one from Google's repository."""


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, what was found, and whether it is right."""

    name: str
    found: str
    is_right: bool


def verify(apk: Path) -> list[Finding]:
    """Check signature, manifest, permissions, libraries and models.

    Raises:
        GateError: something is wrong; everything found is printed before.
    """
    findings = [_signature(apk), *_badging(apk), *_manifest(apk), *_contents(apk)]
    for finding in findings:
        print(f"{'ok   ' if finding.is_right else 'WRONG'} {finding.name}: {finding.found}", flush=True)
    if wrong := [finding.name for finding in findings if not finding.is_right]:
        raise GateError(f"{apk.name}: {', '.join(wrong)}")
    return findings


def _signature(apk: Path) -> Finding:
    said = run("apksigner", "verify", "--verbose", "--min-sdk-version", MIN_SDK, apk)
    schemes = re.findall(r"using (v\d)[^:]*: true", said)
    return Finding("signature", f"verifies, {' and '.join(schemes)}", "v2" in schemes)


def _badging(apk: Path) -> list[Finding]:
    said = run("aapt2", "dump", "badging", apk)
    package = re.search(r"package: name='([^']+)'", said)
    sdk = (re.search(r"sdkVersion:'(\d+)'", said), re.search(r"targetSdkVersion:'(\d+)'", said))
    versions = tuple(int(match[1]) if match else 0 for match in sdk)
    permissions = set(re.findall(r"uses-permission: name='([^']+)'", said))
    launchable = re.search(r"launchable-activity: name='([^']+)'", said)
    code = re.search(r"native-code: (.+)", said)
    return [
        Finding("package", package[1] if package else "none", bool(package and package[1] == PACKAGE)),
        Finding(
            "Android versions",
            f"from {versions[0]}, made for {versions[1]}",
            versions == (MIN_SDK, TARGET_SDK),
        ),
        Finding("permissions", ", ".join(sorted(permissions)) + "; no Internet", permissions == PERMISSIONS),
        Finding("starts", launchable[1] if launchable else "nothing", bool(launchable)),
        Finding(
            "processors", code[1] if code else "none", bool(code and all(abi in code[1] for abi in ABIS))
        ),
    ]


def _manifest(apk: Path) -> list[Finding]:
    said = run("aapt2", "dump", "xmltree", "--file", "AndroidManifest.xml", apk)
    debuggable = f"({DEBUGGABLE:#010x})=true" in said
    profileable = re.search(rf"E: profileable[^\n]*\n\s*A: [^\n]*\({SHELL:#010x}\)=true", said) is not None
    backup = "allowBackup(0x01010280)=false" in said
    open_to_all = set()
    for component in re.split(r"\n\s*E: (?:activity|service|receiver|provider)\b", said)[1:]:
        own = component.split("E: ", 1)[0]
        name = re.search(r':name\([^)]*\)="([^"]+)"', own)
        if "exported(0x01010010)=true" in own and ":permission(" not in own:
            open_to_all.add(name[1] if name else "?")
    return [
        Finding("runs as for its users", "debuggable" if debuggable else "not debuggable", not debuggable),
        Finding("profilers over adb", "let in" if profileable else "shut out", profileable),
        Finding("backups", "none" if backup else "of what the app keeps", backup),
        Finding("open to other apps", ", ".join(sorted(open_to_all)), open_to_all == {".MainActivity"}),
    ]


def _contents(apk: Path) -> list[Finding]:
    findings = []
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as stream:
        for entry in archive.infolist():
            stored = entry.compress_type == zipfile.ZIP_STORED
            if entry.filename.endswith(".so"):
                findings.append(_library(entry, archive.read(entry), stored, _offset(stream.fileno(), entry)))
            elif entry.filename.endswith(".tflite"):
                findings.append(_model(entry.filename, archive.read(entry), stored))
        names = archive.namelist()
        findings.append(
            Finding("code", f"{sum(name.endswith('.dex') for name in names)} dex", "classes.dex" in names)
        )
        own = {name for name in names if Path(name).name == native.NAME}
        wanted = {f"lib/{abi}/{native.NAME}" for abi in ABIS}
        findings.append(Finding("camera frames", "to tensor in C on " + ", ".join(ABIS), own == wanted))
        inside = {Path(name).name for name in names if name.endswith(".tflite")}
    built = {path.name for path in models_inside()}
    findings.append(
        Finding(
            "models", ", ".join(sorted(inside)) or "none: run 'make tflite'", inside == built and bool(built)
        )
    )
    return findings


def _library(entry: zipfile.ZipInfo, content: bytes, stored: bool, offset: int) -> Finding:
    page = elf16k.load_alignment(content)
    placed = stored and offset % LIBRARY_ALIGNMENT == 0
    needs = "arm64" in entry.filename and not entry.filename.endswith(ONLY_4_KB)
    place = "stored at a multiple of 16 KB" if placed else f"at byte {offset}"
    found = f"{place}, laid out for {page // 1024} KB pages"
    if "arm64" in entry.filename and not needs and page < LIBRARY_ALIGNMENT:
        found += " (known: no GPU on phones with 16 KB pages)"
    return Finding(entry.filename, found, placed and (not needs or page >= LIBRARY_ALIGNMENT))


def _model(name: str, content: bytes, stored: bool) -> Finding:
    source = ASSETS / Path(name).name
    same = source.is_file() and source.read_bytes() == content
    kept, equal = "uncompressed" if stored else "compressed", "identical to" if same else "differs from"
    return Finding(name, f"{kept}, {equal} the one in the assets", stored and same)


def _offset(handle: int, entry: zipfile.ZipInfo) -> int:
    """First byte of an entry's content in the archive."""
    name, extra = struct.unpack("<HH", os.pread(handle, 4, entry.header_offset + 26))
    return int(entry.header_offset + 30 + name + extra)
