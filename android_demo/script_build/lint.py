"""Checks the Kotlin sources with ktlint."""

from __future__ import annotations

import subprocess

from android_demo.script_build.kotlin import SHORT_LIVED, java
from android_demo.script_build.layout import ROOT
from android_demo.script_build.pins import files_of
from model.foundation.errors import GateError


def run_ktlint(*, correct: bool) -> None:
    """Check, or correct, every Kotlin file.

    Raises:
        GateError: a file does not follow the rules of .editorconfig.
    """
    classpath = ":".join(map(str, files_of("ktlint")))
    command = [java(), *SHORT_LIVED, "--add-opens=java.base/java.lang=ALL-UNNAMED", "-cp", classpath]
    command += ["com.pinterest.ktlint.Main", "--relative", *(["--format"] if correct else [])]
    command += ["android_demo/**/*.kt", "android_demo/**/*.kts"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        print((done.stdout + done.stderr)[-6000:])
        raise GateError("ktlint complains, see above; with --format it corrects most of it")
    print("ktlint: nothing to complain about")
