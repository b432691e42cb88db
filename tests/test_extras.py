"""What is imported is declared, and a package that is not installed is said with the extra that brings it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib

import pytest

from model.foundation import errors
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = ("model", "calibration_data", "convert", "quantize", "benchmark", "android_demo")
BROUGHT = {"skimage": "scikit-image", "PIL": "pillow", "cv2": "opencv-python-headless"}
METADATA = [*PROJECT["dependencies"]] + [
    f"{one}; extra == '{extra}'"
    for extra, asked in sorted(PROJECT["optional-dependencies"].items())
    for one in asked
]
"""As `importlib.metadata.requires` gives it."""


def _imported() -> set[str]:
    texts = (path.read_text() for folder in OURS for path in (ROOT / folder).rglob("*.py"))
    # A script that declares what it needs has an environment of its own.
    trees = (ast.parse(text) for text in texts if not text.startswith("# /// script"))
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - set(OURS)


def test_every_extra_has_its_place() -> None:
    assert sorted(errors.EXTRAS) == sorted(PROJECT["optional-dependencies"])


def test_what_is_imported_is_declared() -> None:
    declared = {re.split(r"[^\w-]", one, maxsplit=1)[0] for one in METADATA}
    imported = {BROUGHT.get(name, name.replace("_", "-")) for name in _imported()}
    # tflite-runtime stands in the emulated 32-bit system; who has a Dask cluster has distributed.
    assert imported - declared - {"tflite-runtime", "distributed"} == set()


@pytest.mark.parametrize(
    ("module", "extra"),
    [("torch", "convert"), ("adbutils", "devices"), ("litert_torch", "convert"), ("skimage.data", "convert"),
     ("scipy.io", "report"), ("onnx", "onnx")],
)  # fmt: skip
def test_an_extra_that_is_not_installed_is_one_line(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: METADATA)

    def main() -> int:
        raise ModuleNotFoundError(name=module)

    assert errors.exit_code_of(main) == 2
    said = capsys.readouterr().err
    assert f"needs the Python package {module}" in said
    assert f"'.[{extra}]'" in said
    assert said.count("\n") == 1


def test_any_other_module_that_is_not_there_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: METADATA)

    def main() -> int:
        raise ModuleNotFoundError(name="modle")

    with pytest.raises(ModuleNotFoundError):
        errors.exit_code_of(main)


def test_what_is_pinned_has_its_hash_from_whichever_index() -> None:
    """`requirements.sha256` is `requirements.lock` with hashes; of torch, each build is taken."""
    hashed = (ROOT / "requirements.sha256").read_text()
    assert "://" not in hashed
    blocks = re.findall(
        r"^(\S+==.*?)(?: \\)?\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)*)", hashed, re.MULTILINE
    )
    pinned = re.findall(r"^[^#\s].*$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert sorted(name for name, _ in blocks) == sorted(pinned)
    assert [name.partition("==")[0] for name, hashes in blocks if not hashes] == ["torch"]
