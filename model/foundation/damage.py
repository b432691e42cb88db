"""Damaged files: what other people's readers raise on them, and the line that it becomes."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from model.foundation.errors import InputError, one_line

DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, pickle.UnpicklingError, OSError, EOFError, ValueError,
    RuntimeError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, AssertionError,
    SyntaxError,
)  # fmt: skip
"""Readers of archives, images and graphs promise nothing of what they raise; these were seen."""


@contextmanager
def damage_is_said(what: str) -> Iterator[None]:
    """Turn whatever a reader raises on a damaged file into a line.

    Args:
        what: The file and what is wrong with it if its reader fails: "x.npz holds no answers".

    Raises:
        InputError: the block failed.
    """
    try:
        yield
    except DAMAGED as error:
        raise InputError(f"{what} ({one_line(error)[:200] or type(error).__name__})") from None
