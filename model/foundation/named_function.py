"""A user's own function, `package.module:function`: named on the command line alone, never inside a file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.foundation.errors import InputError


def named_function(name: str) -> Callable[..., Any]:
    """Import a function, found from the working folder.

    Raises:
        InputError: there is no such module or function, or it cannot be imported.
    """
    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever a stranger's code raises
        raise InputError(
            f"{name}: expected package.module:function, found from the working folder "
            f"({type(error).__name__}: {error})"
        ) from None
    finally:
        sys.path.pop(0)
    return found
