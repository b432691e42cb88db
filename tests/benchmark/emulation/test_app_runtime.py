"""The app's runtime, out of its APK: what is not there is said before anything boots."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from benchmark.__main__ import main
from benchmark.devices.kind import parse_device
from benchmark.emulation.app_runtime import APK, MEMBER, app_runtime, without_android
from benchmark.runner.c_compiler import compile_c
from model.foundation.errors import InputError

NEEDED, VERSION_NEEDS = 1, 0x6FFFFFFE


def test_without_the_app_there_is_nothing_to_count_with(
    tmp_path: Path, tflite_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["latency", "--device", "arm64-app", "--model", str(tflite_file)]) == 2
    assert "which is not there: run 'make android'" in capsys.readouterr().err


def test_the_word_has_a_hyphen() -> None:
    kind, core = parse_device("arm64-app:cortex-a76")
    assert (kind.form, core) == ("arm64-app[:CORE]", "cortex-a76")
    with pytest.raises(InputError, match="expected a core out of cortex-a53"):
        parse_device("arm64-app:max")


def test_an_archive_without_the_runtime_is_refused(tmp_path: Path) -> None:
    apk = tmp_path / APK.name
    for content in (b"", b"no archive"):
        apk.write_bytes(content)
        with pytest.raises(InputError, match="expected an APK with lib/arm64-v8a"):
            app_runtime(apk)
    for text in (b"without a version", b"\0" + b"1.2.3\0" + b"4.5.6\0"):
        with zipfile.ZipFile(apk, "w") as archive:
            archive.writestr(MEMBER, text)
        with pytest.raises(InputError, match="expected one version"):
            app_runtime(apk)


def tags_of(library: bytes) -> list[int]:
    """The entries of the dynamic section, found by its section header (not by the program header)."""
    start, count = struct.unpack_from("<Q", library, 40)[0], struct.unpack_from("<H", library, 60)[0]
    sections = [struct.unpack_from("<IIQQQQ", library, start + 64 * number) for number in range(count)]
    ((at, size),) = [(section[4], section[5]) for section in sections if section[1] == 6]
    return [struct.unpack_from("<Q", library, at + place)[0] for place in range(0, size, 16)]


def test_names_of_other_libraries_and_of_versions_go_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("#include <math.h>\ndouble of(double x) { return tgamma(x); }\n")
    options = ("-shared", "-fPIC", "-lm", "-Wl,-soname,liba.so")
    compile_c(options, [tmp_path / "a.c"], tmp_path / "liba.so", "aarch64-linux-gnu.2.34")
    library = (tmp_path / "liba.so").read_bytes()
    changed = without_android(library)
    before, after = tags_of(library), tags_of(changed)
    assert {NEEDED, VERSION_NEEDS} <= set(before)
    assert not {NEEDED, VERSION_NEEDS} & set(after)
    gone = [tag for tag, other in zip(before, after, strict=True) if tag != other]
    assert all(tag == NEEDED or tag >= 0x6FFFFFF0 for tag in gone)
    assert sum(one != other for one, other in zip(library, changed, strict=True)) <= 16 * len(gone)
