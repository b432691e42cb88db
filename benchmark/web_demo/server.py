"""A static server for a page on this machine: its own files, the runtime's, the given models; no others."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from model.foundation.errors import InputError

PAGE = Path(__file__).with_name("page")
ADDRESS = "127.0.0.1"
"""Only this machine can reach it; to a browser the address counts as secure, which the webcam needs."""

_IMPORT_MAP = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class Served:
    """What the page can be given.

    Attributes:
        runtime: Its name and version, for the page.
        runtime_folders: Folder names below /runtime/ -> the folders.
        models: Files that the page opens at the start.
    """

    runtime: str
    runtime_folders: Mapping[str, Path]
    models: Sequence[Path] = ()

    def session(self) -> dict[str, Any]:
        """What the page asks for first: the runtime, and name and address of every model."""
        models = [
            {"name": path.name, "address": f"/models/{number}/{quote(path.name)}"}
            for number, path in enumerate(self.models)
        ]
        return {"runtime": self.runtime, "models": models}

    def file_at(self, address: str) -> Path | None:
        """The file behind a request's path; None where there is none."""
        first, *rest = [part for part in unquote(urlsplit(address).path).split("/") if part] or ["index.html"]
        if first == "models":
            return self._model(rest)
        if first == "runtime":
            folder = self.runtime_folders.get(rest[0]) if rest else None
            return None if folder is None else _inside(folder, rest[1:])
        return _inside(PAGE, [first, *rest])

    def _model(self, parts: Sequence[str]) -> Path | None:
        """A model, or the record beside it."""
        for number, path in enumerate(self.models):
            for file in (path, path.with_name(f"{path.name}.json")):
                if list(parts) == [str(number), file.name]:
                    return file if file.is_file() else None
        return None


def _inside(folder: Path, parts: Sequence[str]) -> Path | None:
    path = folder.joinpath(*parts).resolve()
    return path if path.is_file() and path.is_relative_to(folder.resolve()) else None


def content_security_policy() -> str:
    """What a browser lets the page do: load from this server only, run WebAssembly, nothing inline.

    The one script that must stand in the page itself, the map of module names, is named by its hash.
    """
    found = _IMPORT_MAP.search((PAGE / "index.html").read_bytes())
    if found is None:
        raise ValueError("index.html has no import map")
    digest = base64.b64encode(hashlib.sha256(found.group(1)).digest()).decode()
    return (
        "default-src 'none'; connect-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        f"script-src 'self' 'wasm-unsafe-eval' 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


class _Handler(SimpleHTTPRequestHandler):
    # The machine's own table of types may lack or contradict these, and a browser insists on them.
    extensions_map = {  # noqa: RUF012 - as the class above declares it
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def __init__(self, *args: Any, served: Served, policy: str) -> None:
        self.served, self.policy = served, policy
        super().__init__(*args)

    def do_GET(self) -> None:
        if urlsplit(self.path).path != "/session.json":
            return super().do_GET()
        content = json.dumps(self.served.session()).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    def translate_path(self, path: str) -> str:
        return str(self.served.file_at(path) or PAGE / "no such file")

    def end_headers(self) -> None:
        # The first two isolate the page: without them a browser gives neither shared memory for threads of
        # WebAssembly nor a clock finer than 0.1 ms.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Content-Security-Policy", self.policy)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")  # a model that was made anew is fetched anew
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal shows the address and what went wrong, not every request."""


def server(served: Served, port: int) -> ThreadingHTTPServer:
    """A server on this machine's own address; port 0 takes a free one. `serve_forever` runs it.

    Raises:
        InputError: the port cannot be used.
    """
    handler = partial(_Handler, served=served, policy=content_security_policy())
    try:
        return ThreadingHTTPServer((ADDRESS, port), handler)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"port {port} on {ADDRESS} cannot be used ({error}): choose another with --port"
        ) from None
