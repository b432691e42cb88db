"""The script build end to end: Kotlin tests pass, the APK verifies, verification notices what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from android_demo.script_build import debian, package, resources, verify
from model.foundation.artifact import sha256_of
from model.foundation.errors import GateError, InputError

ROOT = Path(__file__).resolve().parents[2]
ABSENT = [name for name in ("javac", "mvn") if not shutil.which(name)]

needs_java = pytest.mark.skipif(
    bool(ABSENT) and os.environ.get("CI") != "true",
    reason=f"{', '.join(ABSENT)} not installed: JDK 17 and Maven needed",
)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script build as `make` does."""
    line = [sys.executable, "-m", "android_demo.script_build", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def apk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly built APK."""
    return package.build()


@pytest.mark.android
@pytest.mark.slow
@needs_java
def test_the_kotlin_tests_pass() -> None:
    done = command("test")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "OK (" in done.stdout


@pytest.mark.android
@needs_java
def test_the_sources_follow_ktlint() -> None:
    done = command("lint")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.android
@pytest.mark.slow
@needs_java
def test_the_apk_verifies(apk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not package.models_inside():
        with pytest.raises(GateError, match="models"):
            verify.verify(apk)
        assert "run 'make tflite'" in capsys.readouterr().out
        return
    findings = {finding.name: finding.found for finding in verify.verify(apk)}
    assert findings.keys() >= {"signature", "permissions", "models", "code", "camera frames"}
    assert findings["runs as for its users"] == "not debuggable"
    assert findings["profilers over adb"] == "let in"
    assert findings["open to other apps"] == ".MainActivity"


@pytest.mark.android
@pytest.mark.slow
@needs_java
@pytest.mark.parametrize("damage", ["a byte of the code", "a library moved"])
def test_a_damaged_apk_does_not_verify(apk: Path, tmp_path: Path, damage: str) -> None:
    damaged = tmp_path / "damaged.apk"
    if damage == "a byte of the code":
        content = bytearray(apk.read_bytes())
        with zipfile.ZipFile(apk) as archive:
            content[archive.getinfo("classes.dex").header_offset + 300] ^= 1
        damaged.write_bytes(content)
    else:
        with zipfile.ZipFile(apk) as old, zipfile.ZipFile(damaged, "w", zipfile.ZIP_STORED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    with pytest.raises((GateError, InputError)):
        verify.verify(damaged)


def binary_manifest(*numbers: int) -> bytes:
    """Only the chunks that matter: a string pool without strings, then the resource map."""
    pool = struct.pack("<HHI", 0x0001, 8, 8)
    rows = struct.pack("<HHI", 0x0180, 8, 8 + 4 * len(numbers)) + struct.pack(f"<{len(numbers)}I", *numbers)
    return struct.pack("<HHI", 0x0003, 8, 8 + len(pool) + len(rows)) + pool + rows


def test_an_attributes_number_is_changed_and_nothing_else() -> None:
    before, after = binary_manifest(0x01010003, 0x010102B8), binary_manifest(0x01010003, 0x01010594)
    assert resources.with_resource_id(before, resources.STAND_IN, resources.SHELL) == after


@pytest.mark.parametrize("numbers", [(), (0x01010003,), (0x010102B8, 0x010102B8)])
def test_an_attribute_that_is_not_there_once_is_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="expected attribute 0x10102b8 once"):
        resources.with_resource_id(binary_manifest(*numbers), resources.STAND_IN, resources.SHELL)


@pytest.mark.parametrize(
    ("store", "password", "message"),
    [("absent.jks", "x", "there is no file"), ("own.jks", "", "set FEATHERFACE_KEYSTORE_PASSWORD, too")],
)
def test_a_key_store_of_ones_own_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str, password: str, message: str
) -> None:
    (tmp_path / "own.jks").write_bytes(b"keys")
    monkeypatch.setenv("FEATHERFACE_KEYSTORE", str(tmp_path / store))
    monkeypatch.setenv("FEATHERFACE_KEYSTORE_PASSWORD", password)
    with pytest.raises(InputError, match=message):
        package._signature()


def test_a_key_stores_password_is_not_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.jks").write_bytes(b"keys")
    monkeypatch.setenv("FEATHERFACE_KEYSTORE", str(tmp_path / "own.jks"))
    monkeypatch.setenv("FEATHERFACE_KEYSTORE_PASSWORD", "secret")
    options = list(map(str, package._signature()))
    assert options[:2] == ["--ks", str(tmp_path / "own.jks")]
    assert "secret" not in " ".join(options)


def test_stored_entries_begin_at_a_multiple_of_their_alignment(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        package._add(archive, "x.txt", b"odd", 0)
        package._add(archive, "lib/a.so", b"library", package.LIBRARY_ALIGNMENT)
        package._add(archive, "assets/m.tflite", b"model", package.FILE_ALIGNMENT)
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        for name, alignment in (("lib/a.so", 16384), ("assets/m.tflite", 4)):
            entry = archive.getinfo(name)
            offset = verify._offset(stream.fileno(), entry)
            assert offset % alignment == 0
            assert entry.compress_type == zipfile.ZIP_STORED
            assert path.read_bytes()[offset : offset + entry.file_size] == archive.read(name)


def _model(path: Path, grade: str = "good") -> Path:
    path.write_bytes(path.name.encode())
    record = {"sha256": sha256_of(path), "verdict": {"grade": grade, "reason": "keeps 0 of 34 faces"}}
    path.with_name(f"{path.name}.json").write_text(json.dumps(record))
    return path


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The app's assets, with a model of an earlier build in them."""
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / "old.tflite").write_bytes(b"old")
    monkeypatch.setattr(package, "ASSETS", folder)
    return folder


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"classes": ["cat", "dog"]}, "it names its score columns (cat, dog); the app shows one class"),
        ({"decoder": "own"}, "it is read by a function of its author's"),
        ({"decoder": "boxes:corners", "objectness_from": ["o"]}, "it has an objectness beside boxes"),
        ({"boxes_from": ["dfl(a)"]}, "it has outputs that the app does not read: dfl(a)"),
    ],
)
def test_what_the_app_cannot_read_stays_out(
    spec: dict[str, object], message: str, tmp_path: Path, assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = _model(tmp_path / "theirs_320x320_int8.tflite")
    record = model.with_name(f"{model.name}.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "spec": spec}))
    assert package.copy_models([model]) == []
    assert capsys.readouterr().out == f"{model.name} stays out of the app: {message}\n"


def test_the_assets_hold_the_named_models_and_nothing_else(
    tmp_path: Path, assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "featherface_v1_640x640_int8_fp16.tflite", "mine_320x320_int8.tflite"
    models = [_model(tmp_path / name) for name in names]
    dead = _model(tmp_path / "featherface_v1_640x640_int8.tflite", "dead")
    assert [path.name for path in package.copy_models([*models, dead])] == list(names)
    assert sorted(path.name for path in assets.iterdir()) == sorted(
        [*names, *(f"{name}.json" for name in names)]
    )
    assert capsys.readouterr().out == f"{dead.name} stays out of the app: it keeps 0 of 34 faces\n"
    assert package.copy_models([]) == []
    assert list(assets.iterdir()) == []


def test_a_model_without_its_record_is_refused(tmp_path: Path, assets: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"model")
    with pytest.raises(InputError, match="make tflite"):
        package.copy_models([tmp_path / "m.tflite"])
    with pytest.raises(InputError, match="the app runs .tflite files"):
        package.copy_models([_model(tmp_path / "m.onnx")])
    (tmp_path / "other").mkdir()
    twice = [_model(tmp_path / "m.tflite"), _model(tmp_path / "other" / "m.tflite")]
    with pytest.raises(InputError, match="NAME="):
        package.copy_models(twice)
    changed = _model(tmp_path / "changed.tflite")
    changed.write_bytes(b"changed")
    with pytest.raises(InputError, match="has changed since its record was written"):
        package.copy_models([changed])
    assert [path.name for path in assets.iterdir()] == ["old.tflite"]


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian.shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="aapt2 is not installed: 'apt-get install aapt'"):
        debian.tool("aapt2")
