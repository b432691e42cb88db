"""`demo` as a user runs it: the address is printed, the page is there, ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.web_demo import runtime
from benchmark.web_demo.commands import demo
from model.foundation.errors import InputError
from tests.conftest import ROOT


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C arrives: a shell starts what runs behind `&` with SIGINT ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_from_the_command_line_to_the_page(tmp_path: Path) -> None:
    # The runtime counts as fetched: this is about the command.
    for package in (runtime.CORE, runtime.WASM_UTILS):
        (tmp_path / "featherface-mobile" / "web_demo" / package.key).mkdir(parents=True)
    command = [sys.executable, "-m", "benchmark", "demo", "--port", "0"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[0]
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert b"<h1>" in answer.read()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert address.startswith("http://127.0.0.1:")
    assert (process.returncode, said) == (0, "")


def test_a_file_that_is_no_model_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model at all")
    with pytest.raises(InputError, match="not a TFLite file"):
        demo(model=[path])
