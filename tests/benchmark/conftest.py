"""A scripted adb server for each test, and a cache folder of its own where a test asks for one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.benchmark.scripted_adb import Phone, ScriptedServer, recorded
from tests.benchmark.scripted_app import App
from tests.small_tflite import SmallModel


@pytest.fixture
def adb_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ScriptedServer]]:
    """Start servers with phones; the real client finds the newest."""
    servers: list[ScriptedServer] = []

    def start(**phones: Phone) -> ScriptedServer:
        server = ScriptedServer(**phones)
        server.__enter__()
        servers.append(server)
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
        return server

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def pixel() -> Phone:
    """A Pixel 3a."""
    return Phone(recorded("pixel_3a"))


@pytest.fixture
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that no other process uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def app(own_locks, adb_server) -> App:
    """The app on a Pixel 3a."""
    phone = Phone(recorded("pixel_3a"))
    adb_server(PIXEL=phone)
    return App(phone)


@pytest.fixture
def tflite_file(tmp_path: Path) -> Path:
    """A whole TFLite file that does nothing with an input; scripted machines answer for it."""
    small, path = SmallModel(), tmp_path / "model.tflite"
    entry = small.tensor("pixels", "float32", [1, 32, 32, 3])
    out = small.tensor("same", "float32", [1, 32, 32, 3])
    small.add("RELU", [entry], [out])
    return small.write(path, [entry], [out])


@pytest.fixture
def benchmark_model(tmp_path: Path) -> Path:
    """A file that looks like an arm64 program from outside; the scripted phone answers for it."""
    path = tmp_path / "benchmark_model"
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little") + bytes(100))
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Emulator tests need apt; without it they say so, and in CI they fail instead of hiding it."""
    if shutil.which("apt-get") is None and os.environ.get("CI") != "true":
        for item in items:
            if item.get_closest_marker("arm"):
                item.add_marker(
                    pytest.mark.skip(reason="emulated ARM needs apt-get (a Debian or Ubuntu machine)")
                )
