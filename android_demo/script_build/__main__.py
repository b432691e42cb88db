"""Command line of the Android app's script build."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from android_demo.script_build.layout import APK, MAIN_ACTIVITY, ROOT
from model.foundation.errors import InputError, exit_code_of


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m android_demo.script_build", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build, sign and verify the APK")
    commands.add_parser("verify", help="verify the APK that was built last")
    test = commands.add_parser("test", help="run the JVM and Robolectric tests")
    test.add_argument(
        "pattern",
        nargs="?",
        default="",
        help="only test classes whose name this regular expression finds",
    )
    lint = commands.add_parser("lint", help="check the Kotlin sources with ktlint")
    lint.add_argument("--format", action="store_true", help="correct what can be corrected")
    assets = commands.add_parser("assets", help="put these models, and no others, into the app's assets")
    assets.add_argument("models", nargs="*", type=Path, help=".tflite files with their records")
    commands.add_parser("native", help="build the app's C library for a build with Gradle")
    install = commands.add_parser("install", help="install the APK over adb and start it")
    install.add_argument("--serial", help="which phone, if there is more than one")
    commands.add_parser(
        "pin", help="resolve the pinned files afresh, after a version in pins.json was raised"
    )
    return _run(parser.parse_args())


def _run(options: argparse.Namespace) -> int:
    if options.command in ("build", "assets", "native", "verify"):
        from android_demo.script_build import package, verify

        if options.command == "assets":
            print(f"{len(package.copy_models(options.models))} model(s) in the app's assets")
            return 0
        if options.command == "native":
            for path in package.copy_libraries():
                print(path.relative_to(ROOT))
            return 0
        if options.command == "build":
            package.build()
        if not APK.is_file():
            raise InputError(f"{APK} is not there: run 'make android' first")
        verify.verify(APK)
    elif options.command == "test":
        from android_demo.script_build.jvm_tests.running import run_tests

        run_tests(options.pattern)
    elif options.command == "lint":
        from android_demo.script_build.lint import run_ktlint

        run_ktlint(correct=options.format)
    elif options.command == "pin":
        from android_demo.script_build.pins import pin_all

        pin_all()
    else:
        _install(options.serial)
    return 0


def _install(serial: str | None) -> None:
    from android_demo.script_build.debian import run

    if not APK.is_file():
        raise InputError(f"{APK} is not there: run 'make android' first")
    phone = ["-s", serial] if serial else []
    lines = [line.split() for line in run("adb", "devices").splitlines()[1:] if line.strip()]
    ready = [
        name for name, state in (line[:2] for line in lines) if state == "device" and serial in (None, name)
    ]
    if len(ready) != 1:
        seen = ", ".join(" ".join(line) for line in lines) or "none"
        raise InputError(
            f"expected one phone with USB debugging allowed, found: {seen}; with more than one, give --serial"
        )
    run("adb", *phone, "install", "-r", APK)
    run("adb", *phone, "shell", "am", "start", "-n", MAIN_ACTIVITY)
    print(f"installed and started on {ready[0]}")


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
