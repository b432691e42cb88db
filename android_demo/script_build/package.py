"""Class files, resources, models and native libraries -> a signed APK."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from android_demo.script_build import elf16k, native
from android_demo.script_build.debian import run
from android_demo.script_build.kotlin import compile_app, java, runtime_jars
from android_demo.script_build.layout import (
    APK,
    ASSETS,
    JNI_LIBRARIES,
    MIN_SDK,
    OUTPUT,
    cache,
)
from android_demo.script_build.pins import dexer, files_of
from android_demo.script_build.resources import RESOURCE_APK, link
from model.foundation.artifact import Artifact, replacing, sha256_of
from model.foundation.errors import InputError

ABIS = ("arm64-v8a", "armeabi-v7a")
LIBRARY_ALIGNMENT = 16384
"""Uncompressed libraries are mapped straight from the APK: they must begin on a page, 16 KB on new phones.
Debian's zipalign knows only 4 KB, so the entries are placed while the archive is written."""

FILE_ALIGNMENT = 4
ALIGNMENT_FIELD = 0xD935
"""Extra field of a ZIP entry: the alignment that apksigner has to keep. Source: apksig, ApkSigner.java."""

REPRODUCIBLE_TIME = (2024, 1, 1, 0, 0, 0)


def build() -> Path:
    """Build and sign the APK; the models in the app's assets go inside."""
    models = models_inside()
    if not models:
        print("no model in the assets: the app will start and say so; run 'make tflite' first", flush=True)
    generated = link()
    classes = compile_app(generated)
    dex = _dex([classes, generated])
    unsigned = OUTPUT / "unsigned.apk"
    _zip(unsigned, dex)
    with replacing(APK) as temporary:
        run("apksigner", "sign", *_signature(), "--out", temporary, unsigned)
    unsigned.unlink()
    print(
        f"{APK.relative_to(OUTPUT.parent.parent)}: {APK.stat().st_size / 1e6:.1f} MB, {len(models)} model(s)",
        flush=True,
    )
    return APK


def models_inside() -> list[Path]:
    """The models in the app's assets."""
    return sorted(ASSETS.glob("*.tflite"))


def copy_models(models: Sequence[Path]) -> list[Path]:
    """Make the app's assets hold these models with their records, and nothing else.

    A model whose record calls it dead is left out, and named.

    Returns:
        The models, as they stand in the assets.

    Raises:
        InputError: one is no TFLite file, has no record, or is called as another is; nothing is copied.
    """
    chosen = {path.name: path for path in models if _is_shown(path)}
    if len({path.name for path in models}) != len(models):
        raise InputError("two models of one name do not fit into one app: build one of them with NAME=")
    wanted = chosen | {f"{name}.json": Artifact.record_path(path) for name, path in chosen.items()}
    ASSETS.mkdir(parents=True, exist_ok=True)
    for stale in ASSETS.iterdir():
        if stale.name not in wanted:
            stale.unlink()
    for name, source in wanted.items():
        target = ASSETS / name
        if not target.is_file() or sha256_of(target) != sha256_of(source):
            with replacing(target) as temporary:
                shutil.copyfile(source, temporary)
    return models_inside()


def _is_shown(model: Path) -> bool:
    if model.suffix != ".tflite":
        raise InputError(f"{model}: the app runs .tflite files")
    if not Artifact.record_path(model).is_file():
        raise InputError(f"{model.name}.json is missing beside its model: run 'make tflite' again")
    record = Artifact.load(model).record
    if record.get("sha256") != sha256_of(model):  # the app refuses it
        raise InputError(f"{model} has changed since its record was written: run 'make tflite' again")
    verdict = record.get("verdict") or {}
    reason = verdict["reason"] if verdict.get("grade") == "dead" else _unread(record.get("spec") or {})
    if reason:
        print(f"{model.name} stays out of the app: it {reason}", flush=True)
    return not reason


def _unread(spec: dict[str, Any]) -> str:
    """What of a spec the app does not read; see `DetectorSpec.kt`."""
    decoder = str(spec.get("decoder", "")).partition(":")[0]
    outputs = [text for name, value in spec.items() if name.endswith("_from") for text in value]
    if spec.get("classes"):
        return f"names its score columns ({', '.join(spec['classes'])}); the app shows one class"
    if decoder == "own":
        return "is read by a function of its author's"
    if spec.get("objectness_from") and decoder != "cell_sizes":
        return f"has an objectness beside {decoder}"
    computed = [text for text in outputs if "|" in text or text.startswith("dfl(")]
    return f"has outputs that the app does not read: {computed[0]}" if computed else ""


def libraries() -> dict[str, bytes]:
    """Path inside the APK -> native library, laid out for 16 KB pages where that is possible."""
    runtime_jars()
    found = {}
    for abi in ABIS:
        for path in sorted((OUTPUT / "runtime").glob(f"*/jni/{abi}/*.so")):
            content = path.read_bytes()
            if abi == "arm64-v8a":
                try:
                    content = elf16k.realign(content)
                except elf16k.LayoutError as error:
                    print(f"{path.name} stays laid out for 4 KB pages: {error}", flush=True)
            found[f"lib/{abi}/{path.name}"] = content
        found[f"lib/{abi}/{native.NAME}"] = native.library(abi).read_bytes()
    return found


def copy_libraries() -> list[Path]:
    """Build the app's own native libraries and put them where Gradle looks for such."""
    copied = []
    for abi in ABIS:
        target = JNI_LIBRARIES / abi / native.NAME
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            shutil.copyfile(native.library(abi), temporary)
        copied.append(target)
    return copied


def _dex(folders: list[Path]) -> Path:
    """Translate class files and the libraries' jars to classes.dex."""
    output = OUTPUT / "dex"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    classes = [str(path) for folder in folders for path in sorted(folder.rglob("*.class"))]
    jars = [str(path) for path in [*files_of("app"), *runtime_jars()]]
    command = [java(), "-Xmx1g", "-cp", str(dexer()), "com.android.tools.r8.D8", "--release"]
    command += ["--min-api", str(MIN_SDK), "--lib", str(files_of("framework")[0]), "--output", str(output)]
    arguments = OUTPUT / "dex.arguments"
    arguments.write_text("\n".join([*classes, *jars]), encoding="utf-8")
    done = subprocess.run([*command, f"@{arguments}"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"d8 failed: {' | '.join(done.stderr.strip().splitlines()[:6])}")
    return output


def _zip(target: Path, dex: Path) -> None:
    with (
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as apk,
        zipfile.ZipFile(RESOURCE_APK) as resources,
    ):
        for name in sorted(resources.namelist()):
            # Android reads the table straight from the file from API 30 on.
            stored = name == "resources.arsc"
            _add(apk, name, resources.read(name), FILE_ALIGNMENT if stored else 0)
        for path in sorted(dex.glob("*.dex")):
            _add(apk, path.name, path.read_bytes(), 0)
        for path in sorted(ASSETS.iterdir()):
            _add(
                apk,
                f"assets/models/{path.name}",
                path.read_bytes(),
                FILE_ALIGNMENT if path.suffix == ".tflite" else 0,
            )
        for name, content in libraries().items():
            _add(apk, name, content, LIBRARY_ALIGNMENT)


def _add(apk: zipfile.ZipFile, name: str, content: bytes, alignment: int) -> None:
    """Add an entry: deflated, or stored with its first byte at a multiple of `alignment`."""
    entry = zipfile.ZipInfo(name, REPRODUCIBLE_TIME)
    entry.compress_type = zipfile.ZIP_STORED if alignment else zipfile.ZIP_DEFLATED
    if alignment:
        assert apk.fp is not None
        start = apk.fp.tell() + 30 + len(name.encode()) + 6
        padding = -start % alignment
        entry.extra = struct.pack("<HHH", ALIGNMENT_FIELD, 2 + padding, alignment) + bytes(padding)
    apk.writestr(entry, content)


def _signature() -> list[object]:
    """apksigner's options.

    FEATHERFACE_KEYSTORE names a key store of one's own, FEATHERFACE_KEYSTORE_PASSWORD is its password:
    apksigner itself reads it, so that it shows in no list of processes. Without them: Android Studio's kind
    of debug key, made once and kept in the user's cache.

    Raises:
        InputError: the key store is named and not there, or its password is missing.
    """
    versions = [
        "--min-sdk-version",
        MIN_SDK,
        "--v1-signing-enabled",
        "false",
        "--v4-signing-enabled",
        "false",
    ]
    if own := os.environ.get("FEATHERFACE_KEYSTORE"):
        if not Path(own).is_file():
            raise InputError(f"FEATHERFACE_KEYSTORE: expected a key store, there is no file {own}")
        if not os.environ.get("FEATHERFACE_KEYSTORE_PASSWORD"):
            raise InputError("FEATHERFACE_KEYSTORE is set: set FEATHERFACE_KEYSTORE_PASSWORD, too")
        return ["--ks", own, "--ks-pass", "env:FEATHERFACE_KEYSTORE_PASSWORD", *versions]
    store = cache() / "debug.keystore"
    if not store.is_file():
        with replacing(store) as temporary:
            temporary.unlink()
            command = [
                "keytool",
                "-genkeypair",
                "-keystore",
                str(temporary),
                "-storepass",
                "android",
                "-keypass",
                "android",
            ]
            command += [
                "-alias",
                "androiddebugkey",
                "-keyalg",
                "RSA",
                "-keysize",
                "2048",
                "-validity",
                "10950",
            ]
            command += ["-dname", "CN=Android Debug,O=Android,C=US", "-storetype", "PKCS12"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise InputError(f"keytool failed: {(done.stdout + done.stderr).strip()}")
    return ["--ks", store, "--ks-pass", "pass:android", "--ks-key-alias", "androiddebugkey", *versions]
