"""The page's server: what it gives, to whom, under which headers, and what it keeps to itself."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.web_demo.server import PAGE, Served, server
from model.foundation.errors import InputError

RUNTIME_FILES = {"dist/index.js": "export {};", "wasm/a.wasm": "\0asm"}


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """A runtime of two files, a model with a record and one of the same name without."""
    for name, content in RUNTIME_FILES.items():
        path = tmp_path / "runtime" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "secret.txt").write_text("secret")
    models = [tmp_path / "here" / "a b.tflite", tmp_path / "there" / "a b.tflite"]
    for path in models:
        path.parent.mkdir()
        path.write_bytes(path.parent.name.encode())
    models[0].with_name("a b.tflite.json").write_text('{"spec": 1}')
    return Served("Runtime 1", {"core": tmp_path / "runtime"}, models)


@pytest.fixture
def port(served: Served) -> Iterator[int]:
    with server(served, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port
        running.shutdown()


def _get(port: int, address: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", address)
    answer = connection.getresponse()
    return answer.status, {name.title(): value for name, value in answer.getheaders()}, answer.read()


def test_the_page_and_everything_it_names_are_there(port: int) -> None:
    status, _, page = _get(port, "/")
    assert status == 200
    named = re.findall(r'(?:src|href)="([^":]+)"', page.decode())
    assert {"app.js", "style.css"} <= set(named)
    for path in [*named, *(one.relative_to(PAGE).as_posix() for one in PAGE.rglob("*.js"))]:
        assert _get(port, f"/{path}")[0] == 200, path


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/session.json", "application/json"),
        ("/runtime/core/wasm/a.wasm", "application/wasm"),
        ("/models/0/a%20b.tflite", "application/octet-stream"),
    ],
)
def test_types_and_headers(port: int, address: str, kind: str) -> None:
    status, headers, content = _get(port, address)
    assert (status, headers["Content-Type"]) == (200, kind)
    assert int(headers["Content-Length"]) == len(content) > 0
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self';" in policy
    assert "http" not in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy


def test_the_models_of_the_command_line(port: int) -> None:
    session = json.loads(_get(port, "/session.json")[2])
    assert session["runtime"] == "Runtime 1"
    assert [one["name"] for one in session["models"]] == ["a b.tflite", "a b.tflite"]
    assert [_get(port, one["address"])[2] for one in session["models"]] == [b"here", b"there"]
    records = [_get(port, f"{one['address']}.json") for one in session["models"]]
    assert [status for status, _, _ in records] == [200, 404]
    assert records[0][2] == b'{"spec": 1}'


@pytest.mark.parametrize(
    "address",
    [
        "/../server.py",
        "/%2e%2e/server.py",
        "/detector/../../server.py",
        "/detector",
        "/detector/",
        "/runtime",
        "/runtime/core",
        "/runtime/core/../secret.txt",
        "/runtime/core/%2e%2e/secret.txt",
        "/runtime/other/a",
        "/models",
        "/models/0",
        "/models/2/a%20b.tflite",
        "/models/0/../secret.txt",
        "//etc/passwd",
        "/nothing",
    ],
)
def test_nothing_else_is_given(port: int, address: str) -> None:
    assert _get(port, address)[0] == 404


def test_the_page_names_no_outside_address() -> None:
    files = [path for path in PAGE.rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        assert re.findall(r"(?:https?:|wss?:)?//[\w.-]+\.\w+", path.read_text()) == [], path


def test_only_this_machine_can_reach_it(served: Served) -> None:
    with server(served, 0) as running:
        assert running.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_one_line(served: Served, port: int) -> None:
    with pytest.raises(InputError, match=f"port {port} on 127.0.0.1 cannot be used .*--port"):
        server(served, port)
    with pytest.raises(InputError, match="port 99999 "):
        server(served, 99999)
