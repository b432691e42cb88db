"""The one error a user can cause, and how a command line reports it."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one line: what was expected, what was found, what to do next.
    """


class GateError(Exception):
    """A measured figure misses its limit: the artefact exists but must not be trusted."""


def exit_code_of(main: Callable[[], int]) -> int:
    """Run a command line and turn what a user can cause into one line and an exit code.

    Returns:
        What `main` returns; 1 after a failed gate; 2 after unusable input or a full disk, or where
        an extra is not installed; 130 after
        ctrl-C. A bug keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may be of no alphabet that it has
            stream.reconfigure(errors="backslashreplace")
    try:
        return main()
    except GateError as error:
        print(f"gate failed: {one_line(error)}", file=sys.stderr)
        return 1
    except InputError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        extra = _extra_of(error.name or "")
        if extra is None:
            raise
        print(
            f"error: this needs the Python package {error.name}, which is not installed: "
            f"pip install -c requirements.lock '.[{extra}]', in the repository",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing that was finished before is changed", file=sys.stderr)
        return 130


EXTRAS = ("onnx", "devices", "report", "cluster", "convert", "train")
"""Those of pyproject.toml, what brings least first."""


def _extra_of(module: str) -> str | None:
    """The extra of this project that brings a module along, and least besides; None if none does."""
    from importlib.metadata import PackageNotFoundError, requires  # 40 ms that no help has to wait for

    root = module.split(".", maxsplit=1)[0]
    package = {"skimage": "scikit-image"}.get(root, root.replace("_", "-"))
    try:
        asked = requires("featherface-mobile") or []
    except PackageNotFoundError:
        return None
    brought = rf"{re.escape(package)}\b[^-\w].*extra == ['\"]([a-z]+)['\"]"
    found = {match[1] for one in asked if (match := re.fullmatch(brought, one))}
    return next((extra for extra in EXTRAS if extra in found), None)


def one_line(text: object) -> str:
    """A text in one line, without what moves a terminal's cursor or colours its text, and is in no XML."""
    return visible(" ".join(str(text).split()))


def visible(text: str) -> str:
    """A text whose signs all show, ends of lines aside: others are written as Python would."""
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)
