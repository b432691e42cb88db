"""Programs that these tests need; a test without its program says so."""

from __future__ import annotations

import os
import platform
import shutil

import pytest

from tests.benchmark.web_demo.chromium import chromium_program


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    reason = f"needs {name} on the PATH"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def node() -> str:
    """Runs the page's modules."""
    return _program("node")


@pytest.fixture(scope="session")
def npm() -> str:
    """Fetches the runtime."""
    return _program("npm")


@pytest.fixture(scope="session")
def chromium(node: str, npm: str) -> str:
    """Shows the page."""
    if platform.machine() != "x86_64":
        pytest.skip("the Chromium that npm has is for x86-64")
    return str(chromium_program(node))
