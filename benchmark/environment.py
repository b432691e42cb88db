"""The one module that starts uv: scripts that bring their own environment, kept in the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from model.foundation.errors import InputError


def _uv() -> str:
    """The program, beside this Python or on the PATH.

    Raises:
        InputError: it is not there.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise InputError("uv is not there: make setup, or pip install uv")
    return found


def header(script: Path) -> dict[str, Any]:
    """What a script says of itself in its first comment, as TOML.

    Source: PEP 723, inline script metadata.

    Raises:
        InputError: it has none.
    """
    lines = script.read_text(encoding="utf-8").splitlines()
    if lines[:1] != ["# /// script"] or "# ///" not in lines[1:]:
        raise InputError(f"{script}: expected a script that begins with '# /// script' (PEP 723)")
    inner = lines[1 : lines.index("# ///", 1)]
    return tomllib.loads("\n".join(line.removeprefix("#").removeprefix(" ") for line in inner))


def run_script(script: Path, *arguments: str) -> None:
    """Run a script in the environment that its header asks for; the first use makes it.

    Raises:
        InputError: it cannot be made, or the script fails; its last words are in the message.
    """
    # Its environment is its own: nothing of this one's is to be found there.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [_uv(), "run", "--no-project", "--script", str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise InputError(f"{script.stem}: {said[-1] if said else f'ended with {done.returncode}'}"[:300])
