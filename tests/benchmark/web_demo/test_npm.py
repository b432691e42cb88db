"""The runtime's packages come through npm's own client, here from a registry of our own."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from benchmark.web_demo.npm import NpmPackage, unpacked
from model.foundation.errors import InputError


def _archive() -> bytes:
    content = io.BytesIO()
    files = {"package.json": b'{"name": "@some/thing", "version": "1.2.3"}', "dist/index.js": b"export {};\n"}
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, held in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(held)
            archive.addfile(member, io.BytesIO(held))
    return content.getvalue()


ARCHIVE = _archive()
INTEGRITY = base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode()
PACKAGE = NpmPackage("@some/thing", "1.2.3", INTEGRITY)


class _Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = unquote(self.path)
        if asked == "/archive.tgz":
            self._answer(200, ARCHIVE)
        elif asked == "/@some/thing":
            dist = {
                "tarball": f"http://{self.headers['Host']}/archive.tgz",
                "integrity": f"sha512-{INTEGRITY}",
            }
            version = {"name": "@some/thing", "version": "1.2.3", "dist": dist}
            told = {"name": "@some/thing", "dist-tags": {"latest": "1.2.3"}, "versions": {"1.2.3": version}}
            self._answer(200, json.dumps(told).encode())
        else:
            self._answer(404, b"{}")

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry(npm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Told to npm as a user would tell it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        monkeypatch.setenv("npm_config_fetch_retries", "0")
        yield
        server.shutdown()


@pytest.mark.usefixtures("registry")
def test_a_package_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(PACKAGE, tmp_path / "cache")
    assert folder.name == "some-thing-1.2.3"
    assert sorted(path.name for path in folder.iterdir()) == ["dist", "package.json"]
    assert (folder / "dist" / "index.js").read_bytes() == b"export {};\n"
    monkeypatch.setenv("PATH", "")
    assert unpacked(PACKAGE, tmp_path / "cache") == folder


@pytest.mark.usefixtures("registry")
def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    other = base64.b64encode(bytes(64)).decode()
    with pytest.raises(InputError, match="expected SHA-512") as refused:
        unpacked(replace(PACKAGE, integrity=other), tmp_path / "cache")
    assert INTEGRITY in str(refused.value)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("registry")
def test_a_version_that_there_is_not_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="@some/thing 9.9.9: ") as refused:
        unpacked(replace(PACKAGE, version="9.9.9"), tmp_path / "cache")
    assert "\n" not in str(refused.value)


def test_without_npm_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="needs npm, which was not found: install Node.js"):
        unpacked(PACKAGE, tmp_path / "cache")
