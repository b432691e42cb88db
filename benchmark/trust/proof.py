"""A made file held against its record, its origin, its signature, and the results that speak of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.environment import run_script
from model.foundation.artifact import Artifact, read_json, replacing
from model.foundation.errors import InputError
from model.foundation.origin import Origin, Source, origin_of

SCRIPT = Path(__file__).with_name("signing.py")
WRITTEN = (".intoto.json", ".cdx.json")
"""What `sign` writes beside X and its record: SLSA provenance and a CycloneDX bill of materials."""
SIGNATURE = ".sig"
MADE = ("float32", "onnx")
"""Roles of files that a step of this project made: they have records of their own."""


def sign(path: Path, key: Path) -> list[Path]:
    """Write provenance, SBOM and the signature of X, X.json and these two beside X.

    Args:
        path: A made file; its origin is checked first.
        key: Private key on P-256, P-384 or P-521 (PEM).

    Returns:
        The three files.

    Raises:
        InputError: as `chain`; no usable key; or the tools cannot be fetched.
    """
    list(chain(path))
    _require_key(key, "private")
    written = [_beside(path, suffix) for suffix in (*WRITTEN, SIGNATURE)]
    with _staged([path, Artifact.record_path(path)]) as folder, replacing(written[-1]) as signature:
        run_script(SCRIPT, "sign", str(key.resolve()), str(folder), path.name, str(signature.resolve()))
        for one in written[:-1]:
            with replacing(one) as temporary:
                shutil.copyfile(folder / one.name, temporary)
    return written


def check_signature(path: Path, key: Path | None) -> bool:
    """Hold X and what was signed with it against X.sig.

    Args:
        path: A made file.
        key: Public key of who signed (PEM).

    Returns:
        False where there is neither a signature nor a key.

    Raises:
        InputError: only one of them is there; or a bad signature, another file's, or of other bytes.
    """
    signature = _beside(path, SIGNATURE)
    if key is None:
        if signature.is_file():
            raise InputError(f"{path} is signed: say by whom with --key PUBLIC.pem")
        return False
    _require_key(key, "public")
    if not signature.is_file():
        raise InputError(f"{path} is not signed: there is no {signature.name} beside it; see `sign`")
    signed = [path, Artifact.record_path(path), *(_beside(path, suffix) for suffix in WRITTEN)]
    with _staged(signed) as folder:
        run_script(SCRIPT, "verify", str(key.resolve()), str(folder), path.name, str(signature.resolve()))
    return True


def chain(path: Path) -> Iterator[tuple[int, Source]]:
    """How deep below a file, and what it was made from: what that was made from follows at once.

    Raises:
        InputError: of any of them that is here: no or another file's record, or other bytes than recorded.
    """
    for one in _sound(path).sources:
        yield 1, one
        if one.path is not None and one.role in MADE:
            yield from ((depth + 1, below) for depth, below in chain(one.path))


def require_measured(sha256: str, results: Sequence[Path]) -> None:
    """Stop unless each of these results (JSON) was measured on the bytes of this hash.

    Raises:
        InputError: a file is no JSON, or speaks of other bytes.
    """
    for result in results:
        if sha256 not in json.dumps(read_json(result)):
            raise InputError(f"{result} does not speak of these bytes, sha256 {sha256[:12]}")


def _sound(path: Path) -> Origin:
    origin = origin_of(path)
    for one in origin.sources:
        if one.state == "differs":
            raise InputError(
                f"{path.name} was made from a {one.role} {one.file} of sha256 {one.sha256[:12]}, "
                f"{one.path} is another; make the file again"
            )
    return origin


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _require_key(key: Path, kind: str) -> None:
    if not key.is_file() or f"{kind.upper()} KEY-----" not in key.read_text("utf-8", errors="replace"):
        raise InputError(f"{key}: expected a {kind} key (PEM); see benchmark/trust/README.md")


@contextmanager
def _staged(files: Sequence[Path]) -> Iterator[Path]:
    """Copies alone in a folder: what a signature is of, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        for one in files:
            if not one.is_file():
                raise InputError(f"no such file: {one}; it was signed with the others")
            shutil.copyfile(one, Path(folder) / one.name)
        yield Path(folder)
