"""Kotlin sources -> class files, with the compiler from Maven Central."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from android_demo.script_build.layout import MAIN, OUTPUT, TESTS
from android_demo.script_build.pins import files_of
from model.foundation.artifact import sha256_of
from model.foundation.errors import InputError

JVM_TARGET = "11"

SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""For a JVM that lives a minute: what its optimizing compiler costs it never earns back."""


def compile_app(generated: Path) -> Path:
    """Compile the app against the real framework jar; `generated` holds R.java's classes.

    Returns:
        The folder of class files.
    """
    classpath = [generated, *files_of("app", "framework"), *runtime_jars()]
    return _compile("app", [MAIN / "kotlin"], classpath)


def compile_tests(app: Path, generated: Path) -> Path:
    """Compile the JVM and Robolectric tests; they see the app's internals."""
    classpath = [app, generated, *files_of("app", "tests", "framework"), *runtime_jars()]
    return _compile("tests", [TESTS / "kotlin"], classpath, f"-Xfriend-paths={app}")


def runtime_jars() -> list[Path]:
    """The Java side of TensorFlow Lite, taken out of its AARs."""
    folder = OUTPUT / "runtime"
    jars = []
    for aar in files_of("runtime"):
        target = folder / aar.stem
        if not (target / "classes.jar").is_file():
            shutil.unpack_archive(aar, target, "zip")
        jars.append(target / "classes.jar")
    return jars


def java() -> str:
    """The java command.

    Raises:
        InputError: there is none, or it is older than 17.
    """
    found = shutil.which("java")
    if not found or not shutil.which("javac"):
        raise InputError(
            "no JDK found: install JDK 17 or newer, for instance Debian's openjdk-17-jdk-headless"
        )
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = said.split('"')[1].split(".")[0] if '"' in said else "0"
    if not version.isdigit() or int(version) < 17:
        raise InputError(f"JDK 17 or newer is needed, found: {said.splitlines()[0] if said else found}")
    return found


def _compile(name: str, sources: list[Path], classpath: list[Path], *options: str) -> Path:
    """Compile unless neither sources nor classpath have changed since the last time."""
    output = OUTPUT / "classes" / name
    files = sorted(path for folder in sources for path in folder.rglob("*.kt"))
    state = _state([*files, Path(__file__)], classpath, options)
    stamp = OUTPUT / "classes" / f"{name}.stamp"
    if stamp.is_file() and stamp.read_text() == state and output.is_dir():
        return output
    print(f"compiling {len(files)} Kotlin files ({name})", flush=True)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    command = [java(), "-Xmx2g", *SHORT_LIVED, "-cp", ":".join(map(str, files_of("compiler")))]
    command += ["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect"]
    command += ["-jvm-target", JVM_TARGET, "-module-name", name, "-Werror", "-progressive", *options]
    command += ["-classpath", ":".join(map(str, classpath)), "-d", str(output), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print("\n".join((done.stdout + done.stderr).splitlines()[:40]))
        raise InputError(f"the Kotlin sources of '{name}' do not compile, see above")
    stamp.write_text(state)
    return output


def _state(files: list[Path], classpath: list[Path], options: tuple[str, ...]) -> str:
    digest = hashlib.sha256(repr((options, list(map(str, classpath)))).encode())
    classes = (path for entry in classpath if entry.is_dir() for path in sorted(entry.rglob("*.class")))
    for path in [*files, *classes]:
        digest.update(f"{path}{sha256_of(path)}".encode())
    return digest.hexdigest()
