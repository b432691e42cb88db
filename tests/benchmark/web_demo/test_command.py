"""`demo` as a user runs it: the address is printed, the page is there, ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from benchmark.web_demo import runtime
from benchmark.web_demo.commands import demo
from model.foundation.errors import InputError
from tests.conftest import ROOT


def test_from_the_command_line_to_the_page(tmp_path: Path) -> None:
    # The runtime counts as fetched: this is about the command.
    for package in (runtime.CORE, runtime.WASM_UTILS):
        (tmp_path / "featherface-mobile" / "web_demo" / package.key).mkdir(parents=True)
    command = [sys.executable, "-m", "benchmark", "demo", "--port", "0"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        try:
            with urllib.request.urlopen(address) as answer:
                assert b"<h1>" in answer.read()
        finally:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert address.startswith("http://127.0.0.1:")
    assert (process.returncode, said) == (0, "")


def test_a_file_that_is_no_model_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model at all")
    with pytest.raises(InputError, match="not a TFLite file"):
        demo(model=[path])
