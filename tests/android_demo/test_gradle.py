"""Android Studio's build and the script build make the same app: what both name, both name alike."""

from __future__ import annotations

import re
import tomllib

import pytest

from android_demo.script_build import layout
from android_demo.script_build.pins import read_pins

GRADLE = layout.APP.parent
CATALOGUE = tomllib.loads((GRADLE / "gradle" / "libs.versions.toml").read_text(encoding="utf-8"))
PINNED = {root.rpartition(":")[0]: root.rpartition(":")[2] for root in read_pins()["tests"]["roots"]}


@pytest.mark.parametrize("library", ["junit", "json", "robolectric", "jna"])
def test_the_tests_libraries_are_of_one_version(library: str) -> None:
    module = CATALOGUE["libraries"][library]["module"]
    assert PINNED[f"{module}:jar"] == CATALOGUE["versions"][library]


def test_both_builds_have_one_kotlin() -> None:
    (compiler,) = read_pins()["compiler"]["roots"]
    assert compiler.endswith(f":{CATALOGUE['versions']['kotlin']}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("minSdk", layout.MIN_SDK),
        ("targetSdk", layout.TARGET_SDK),
        ("versionCode", layout.VERSION_CODE),
        ("versionName", f'"{layout.VERSION_NAME}"'),
        ("namespace", f'"{layout.PACKAGE}"'),
        ("applicationId", f'"{layout.PACKAGE}"'),
    ],
)
def test_both_builds_make_one_app(name: str, value: object) -> None:
    build = (layout.APP / "build.gradle.kts").read_text(encoding="utf-8")
    assert re.findall(rf"\b{name} = (.+)", build) == [str(value)]
