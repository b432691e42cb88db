"""`verify` and `sign` on a converted file: what is sound passes, each thing that is not is one line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.__main__ import main
from benchmark.environment import run_script
from benchmark.trust.proof import SCRIPT
from model.foundation.artifact import sha256_of
from model.foundation.errors import InputError
from tests.conftest import Converted

FLOAT32 = "featherface_v2_96x128_float32.tflite"
ONNX = "featherface_v2_96x128.onnx"


@pytest.fixture
def made(converted: Converted, tmp_path: Path) -> Path:
    """The float file in a folder with the ONNX file that it was made from, and both records."""
    folder = tmp_path / "made"
    shutil.copytree(converted.float32.parent, folder)
    return folder / FLOAT32


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def _rewrite(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def _line(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main([str(one) for one in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_sound_file_names_all_it_was_made_from(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(made)]) == 0
    out = capsys.readouterr().out
    assert f"sha256 {sha256_of(made)}" in out
    assert f"  onnx {ONNX} {sha256_of(made.with_name(ONNX))[:12]}: verified\n    checkpoint" in out
    assert "spec: featherface_v2 96x128" in out
    assert "measured: against " in out
    assert "signature: none" in out


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_flip, "one of them was changed"),
        (lambda made: _flip(made.with_name(ONNX)), "is another"),
        (lambda made: made.with_name(FLOAT32 + ".json").unlink(), "no such file"),
        (lambda made: made.with_name(ONNX + ".json").unlink(), f"no such file: .*{ONNX}.json"),
        (lambda made: _rewrite(made.with_name(FLOAT32 + ".json"), lambda r: r.pop("made_from")), "made_from"),
        (
            lambda made: _rewrite(made.with_name(FLOAT32 + ".json"), lambda r: r["spec"].update(nms_iou=0.9)),
            "contradicts",
        ),
    ],
)
def test_what_is_not_sound_is_one_line(
    made: Path, spoil: Callable[[Path], None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(made)
    line = _line(capsys, "verify", made)
    assert re.search(said, line), line


def test_results_must_be_about_these_bytes(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = made.with_name("report.json")
    result.write_text(json.dumps({"rows": [{"sha256": sha256_of(made)}]}))
    assert main(["verify", str(made), "--results", str(result)]) == 0
    result.write_text(json.dumps({"rows": [{"sha256": "0" * 64}]}))
    assert "does not speak of these bytes" in _line(capsys, "verify", made, "--results", result)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pairs of keys; skips where the signing tools cannot be had."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes the keys")
    with pytest.raises(InputError) as failed:
        run_script(SCRIPT)
    if "values to unpack" not in str(failed.value):
        pytest.skip(f"needs the signing tools: {failed.value}")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "other"):
        key, public = folder / f"{name}.pem", folder / f"{name}.pub"
        for order in (
            ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key)],
            ["ec", "-in", str(key), "-pubout", "-out", str(public)],
        ):
            subprocess.run(["openssl", *order], check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_a_signature_holds_until_anything_under_it_changes(
    made: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ("--key", keys / "ours.pub")
    assert "is not signed" in _line(capsys, "verify", made, *own)
    assert "expected a private key" in _line(capsys, "sign", made, *own)
    both = [str(made), str(made.with_name(ONNX))]
    assert main(["sign", *both, "--key", str(keys / "ours.pem")]) == 0
    assert main(["verify", *both, "--key", str(keys / "ours.pub")]) == 0
    assert "signature: good" in capsys.readouterr().out
    said = json.loads(made.with_name(FLOAT32 + ".intoto.json").read_text())
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    assert said["subject"] == [{"name": FLOAT32, "digest": {"sha256": sha256_of(made)}}]
    assert json.loads(made.with_name(FLOAT32 + ".cdx.json").read_text())["specVersion"] == "1.6"

    assert "say by whom with --key" in _line(capsys, "verify", made)
    assert "error: signing:" in _line(capsys, "verify", made, "--key", keys / "other.pub")
    signature = made.with_name(FLOAT32 + ".sig")
    kept = signature.read_bytes()
    shutil.copyfile(made.with_name(ONNX + ".sig"), signature)
    assert "the signature is of other files" in _line(capsys, "verify", made, *own)
    signature.write_bytes(kept[:-40])
    assert "error: signing:" in _line(capsys, "verify", made, *own)
    signature.write_bytes(kept)
    for suffix in ("", ".json", ".intoto.json", ".cdx.json"):
        one = made.with_name(FLOAT32 + suffix)
        sound = one.read_bytes()
        _flip(one)
        assert f"{one.name}: other bytes than those that were signed" in _line(capsys, "verify", made, *own)
        one.unlink()
        assert f"no such file: {one}" in _line(capsys, "verify", made, *own)
        one.write_bytes(sound)
    assert main(["verify", str(made), "--key", str(keys / "ours.pub")]) == 0
