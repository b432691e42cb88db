"""Programs that these tests need; a test without its program says so."""

from __future__ import annotations

import os
import shutil

import pytest


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
def chromium() -> str:
    """Shows the page; under any of its names, and not even CI must have one."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("needs chromium on the PATH")
