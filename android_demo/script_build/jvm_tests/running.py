"""Runs the app's tests on the JVM: plain ones, and Robolectric's on a real Android framework."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from android_demo.script_build.jvm_tests.expected import write_expected
from android_demo.script_build.kotlin import SHORT_LIVED, compile_app, compile_tests, java, runtime_jars
from android_demo.script_build.layout import GOLDEN, OUTPUT, PACKAGE, cache
from android_demo.script_build.native import library
from android_demo.script_build.pins import files_of
from android_demo.script_build.resources import RESOURCE_APK, link
from model.foundation.errors import GateError

SCREENSHOTS = OUTPUT / "screenshots"


def run_tests(pattern: str = "") -> int:
    """Compile and run the test classes in whose name `pattern`, a regular expression, is found.

    Returns:
        How many test classes were run.

    Raises:
        GateError: a test fails.
    """
    generated = link()
    app = compile_app(generated)
    tests = compile_tests(app, generated)
    names = [
        ".".join(path.relative_to(tests).with_suffix("").parts)
        for path in sorted(tests.rglob("*Test.class"))
        if path.stem != "AppTest" and re.search(pattern, path.stem)
    ]
    if not names:
        raise GateError(f"no test class is called {pattern}")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    # Robolectric brings its own Android; the framework jar only lets the JVM load annotations that name it.
    classpath = [
        _configuration(),
        tests,
        app,
        generated,
        *files_of("tests", "app"),
        *runtime_jars(),
        *files_of("framework"),
    ]
    command = [
        java(),
        "-Xmx2g",
        *SHORT_LIVED,
        "-XX:+IgnoreUnrecognizedVMOptions",
        "-cp",
        ":".join(map(str, classpath)),
    ]
    for package in ("java.lang", "java.io", "java.util", "java.net", "java.nio", "sun.nio.ch"):
        command.append(f"--add-opens=java.base/{package}=ALL-UNNAMED")
    # System.loadLibrary finds the app's C library there, built for this computer, as on a phone in the APK.
    command.append(f"-Djava.library.path={library('host').parent}")
    command += [f"-D{name}={value}" for name, value in _properties().items()]
    done = subprocess.run([*command, "org.junit.runner.JUnitCore", *names], check=False)
    if done.returncode:
        raise GateError("tests of the Android app fail, see above")
    return len(names)


def _properties() -> dict[str, object]:
    properties: dict[str, object] = {
        "featherface.golden": GOLDEN,
        "featherface.screenshots": SCREENSHOTS,
        "robolectric.offline": "true",
        "robolectric.dependency.dir": cache() / "maven",
        "robolectric.logging.enabled": "false",
        "java.awt.headless": "true",
    }
    photograph = _photograph()
    if photograph:
        properties["featherface.photograph"] = photograph
    if library := _litert():
        properties["featherface.litert"] = library
    if photograph and library and (expected := write_expected(photograph)):
        properties["featherface.expected"] = expected
    else:
        _say_what_is_left_out(photograph, library)
    return properties


def _say_what_is_left_out(photograph: Path | None, library: Path | None) -> None:
    """Real inference needs three things.

    Raises:
        GateError: one is missing on a CI machine, where nothing may be left out in silence.
    """
    needed = {"scikit-image's photograph": photograph, "ai-edge-litert": library}
    missing = [name for name, path in needed.items() if path is None] or ["a model (run 'make tflite')"]
    message = f"real inference and its screenshots are left out: {', '.join(missing)} missing"
    if os.environ.get("CI") == "true" and None in needed.values():
        raise GateError(message)
    print(message, flush=True)


def _photograph() -> Path | None:
    """A public-domain portrait that scikit-image brings along."""
    found = importlib.util.find_spec("skimage")
    path = Path(str(found.origin)).parent / "data" / "astronaut.png" if found else None
    return path if path and path.is_file() else None


def _litert() -> Path | None:
    """LiteRT's library for this computer, out of the Python wheel."""
    found = importlib.util.find_spec("ai_edge_litert")
    path = Path(str(found.origin)).parent / "libLiteRt.so" if found else None
    return path if path and path.is_file() else None


def _configuration() -> Path:
    """Tells Robolectric where the app's manifest, resources and assets are."""
    files_of("test-framework", "oldest-framework")
    folder = OUTPUT / "test_configuration"
    apk = OUTPUT / "test-resources.apk"
    shutil.copyfile(RESOURCE_APK, apk)
    with zipfile.ZipFile(apk, "a") as archive:
        broken = b"this is not a model"
        record = {"sha256": hashlib.sha256(broken).hexdigest()}
        archive.writestr("assets/models/broken.tflite", broken)
        archive.writestr("assets/models/broken.tflite.json", json.dumps(record))
    (assets := OUTPUT / "test_assets").mkdir(exist_ok=True)
    path = folder / "com" / "android" / "tools" / "test_config.properties"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = {
        "android_merged_manifest": OUTPUT / "AndroidManifest.xml",
        "android_merged_assets": assets,
        "android_resource_apk": apk,
        "android_custom_package": PACKAGE,
    }
    path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
    return folder
