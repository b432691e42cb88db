"""What a table may take of the terminal: its width, and names without what they share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from model.foundation.errors import visible

WIDE = 160
"""Columns where the output is no terminal."""


class _Console(Console):
    """Shows what would move the cursor or colour the text, and does not do it."""

    def render_str(self, text: str, *args: Any, **how: Any) -> Text:
        return super().render_str(visible(text), *args, **how)


def console(*, wide: bool = False, soft_wrap: bool = False) -> Console:
    """The terminal, for words that files and devices say: brackets in them are no markup.

    Args:
        wide: WIDE columns where the output goes into a file.
        soft_wrap: Lines are left to the terminal.
    """
    width = WIDE if wide and not sys.stdout.isatty() else None
    return _Console(markup=False, highlight=False, width=width, soft_wrap=soft_wrap)


def narrow_table(*columns: str, title: str | None = None) -> Table:
    """A table without lines between its columns, so that 80 columns hold more of them; names are folded,
    never cut: those of files differ at their ends."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def shared_beginning(names: Sequence[str]) -> str:
    """What all names begin with, up to the end of a word: a title says it once, and 80 columns suffice.

    "net_320x320" of net_320x320.onnx and net_320x320_int8.tflite; empty for a single name.
    """
    first, last = min(names), max(names)
    ends = [i for i in range(len(first)) if first[i] in "_." and last[i : i + 1] in ("_", ".")]
    return next((first[:i] for i in reversed(ends) if first[:i] == last[:i]), "") if first != last else ""


def without_beginning(name: str, shared: str) -> str:
    """A name without what it shares with the others: "int8.tflite"."""
    return name[len(shared) :].removeprefix("_")
