"""Where things are: sources, outputs, caches."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "android_demo" / "app"
MAIN = APP / "src" / "main"
TESTS = APP / "src" / "test"
ASSETS = MAIN / "assets" / "models"
"""The models that go into the app, each with its record; `script_build assets FILES` chooses them."""

JNI_LIBRARIES = MAIN / "jniLibs"
OUTPUT = ROOT / "build" / "android"
APK = OUTPUT / "featherface-demo.apk"
GOLDEN = ROOT / "tests" / "golden"

PACKAGE = "org.featherface.demo"
MAIN_ACTIVITY = f"{PACKAGE}/.MainActivity"
MIN_SDK = 24
TARGET_SDK = 35
VERSION_NAME = "1.0"
VERSION_CODE = 1


def cache() -> Path:
    """The user's cache folder for downloaded tools."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(base) / "featherface-android"
    path.mkdir(parents=True, exist_ok=True)
    return path
