"""The runtime that the app ships, taken out of its APK and made ready for the emulated Linux guest."""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from model.foundation.cache import cache_folder, filling
from model.foundation.errors import InputError

APK = Path("build/android/featherface-demo.apk")
"""Where `make android` leaves the app."""

LIBRARY = "libtensorflowlite_jni.so"
MEMBER = f"lib/arm64-v8a/{LIBRARY}"

DYNAMIC = 2
"""Type of the program header that leads to the dynamic section. Source: elf.h, PT_DYNAMIC."""

ANDROIDS = (1, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF)
"""Entries that name Android's libraries and the versions of their symbols, which glibc's do not have.

Source: elf.h, DT_NEEDED, DT_VERSYM, DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM."""

UNUSED = 0x6FFFFEF9
"""An entry that loaders pass over: a list for the prelinker. Source: elf.h, DT_GNU_LIBLIST."""


@dataclass(frozen=True)
class AppRuntime:
    """The app's TensorFlow Lite.

    Attributes:
        library: The file, made ready for glibc.
        version: E.g. "2.16.1".
        sha256: Of the file as it stands in the APK, 64 hex digits.
    """

    library: Path
    version: str
    sha256: str


def app_runtime(apk: Path) -> AppRuntime:
    """Take the runtime out of the app and make it ready for glibc, once for each.

    Raises:
        InputError: there is no such APK, or no 64-bit TensorFlow Lite in it.
    """
    shipped = _shipped(apk)
    versions = re.findall(rb"\0(\d+\.\d+\.\d+)(?=\0)", shipped)
    if len(versions) != 1:
        raise InputError(f"{apk}: expected one version in {MEMBER}, found {len(versions)}")
    ready = without_android(shipped)
    folder = cache_folder() / "arm" / f"app-runtime-{hashlib.sha256(ready).hexdigest()[:16]}"
    if not folder.is_dir():
        with filling(folder) as temporary:
            (temporary / LIBRARY).write_bytes(ready)
    return AppRuntime(folder / LIBRARY, versions[0].decode(), hashlib.sha256(shipped).hexdigest())


def _shipped(apk: Path) -> bytes:
    if not apk.is_file():
        raise InputError(
            f"the runtime that ships is taken out of {apk}, which is not there: run 'make android'"
        )
    try:
        with zipfile.ZipFile(apk) as content:
            return content.read(MEMBER)
    except (zipfile.BadZipFile, KeyError):
        raise InputError(f"{apk}: expected an APK with {MEMBER}: run 'make android' again") from None


def without_android(library: bytes) -> bytes:
    """The library with no say about other libraries and the versions of their symbols.

    Args:
        library: A 64-bit little-endian ELF file.
    """
    changed = bytearray(library)
    headers, count = struct.unpack_from("<Q", changed, 32)[0], struct.unpack_from("<H", changed, 56)[0]
    for number in range(count):
        kind, _, at = struct.unpack_from("<IIQ", changed, headers + 56 * number)
        tag = -1
        while kind == DYNAMIC and tag:
            tag = struct.unpack_from("<Q", changed, at)[0]
            if tag in ANDROIDS:
                struct.pack_into("<QQ", changed, at, UNUSED, 0)
            at += 16
    return bytes(changed)
