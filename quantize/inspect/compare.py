"""Two TFLite files of one network layer by layer, the worst first, and where they part."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from convert.tflite.layer_difference import LayerComparison, LayerDifference, Watched
from model.foundation.artifact import sha256_of, tool_versions
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import spec_inside

FORMAT, VERSION = "featherface-layer-sqnr", 1
SHOWN = 12
WIDE = 160
"""Columns where the output is no terminal."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class FileFacts:
    """One of the two files: its name and hash."""

    file: str
    sha256: str


@dataclass(frozen=True)
class LayerTable:
    """The comparison of two files as it is kept; `benchmark report --layers` takes it.

    Attributes:
        title: Of the table.
        first, second: A, the reference, and B.
        images: How many they were run on.
        limit_db: The files part where a layer's SQNR falls below this.
        parting: The first such layer in the order of execution; None if there is none.
        only_in_first, only_in_second: Layers that the other file lacks.
        layers: The others, lowest SQNR first.
        tools: Versions.
    """

    title: str
    first: FileFacts
    second: FileFacts
    images: int
    limit_db: float
    parting: str | None
    only_in_first: tuple[str, ...]
    only_in_second: tuple[str, ...]
    layers: tuple[LayerDifference, ...]
    tools: dict[str, str]
    format: str = FORMAT
    version: int = VERSION

    @classmethod
    def of(cls, first: Path, second: Path, found: LayerComparison, limit_db: float) -> LayerTable:
        """All figures of a comparison."""
        parting = found.parting(limit_db)
        return cls(
            f"SQNR of {second.name} against {first.name}, dB, {found.images} images",
            FileFacts(first.name, sha256_of(first)),
            FileFacts(second.name, sha256_of(second)),
            found.images,
            limit_db,
            None if parting is None else parting.layer,
            *found.only,
            tuple(found.worst_first),
            tool_versions("ai-edge-litert", "numpy"),
        )


def spec_of_both(first: Watched, second: Watched, given: DetectorSpec | None) -> DetectorSpec:
    """How images are fed to two files.

    Args:
        first, second: The files.
        given: By the user, for files that carry none. Without any only the letterbox is needed: its size is
            the files', its border black.

    Raises:
        InputError: the files or the spec differ in input size.
    """
    height, width = first.height, first.width
    if (height, width) != (second.height, second.width):
        raise InputError(
            f"{first.path.name} takes {height}x{width} and {second.path.name} {second.height}x"
            f"{second.width}: expected two files of one input size"
        )
    spec = given or spec_inside(first.path) or spec_inside(second.path)
    if spec is None:
        return DetectorSpec(UNKNOWN, height, width, pad_rgb=(0, 0, 0))
    if (spec.input_height, spec.input_width) != (height, width):
        raise InputError(
            f"{first.path} takes {height}x{width}, its spec says {spec.input_height}x{spec.input_width}"
        )
    return spec


def print_comparison(found: LayerComparison, limit_db: float) -> None:
    """Print the worst layers and where the files part."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
    table = Table()
    table.add_column("layer", overflow="fold")
    for title in ("operator", "SQNR, dB", "added, dB", "largest error", "outside"):
        table.add_column(title, no_wrap=True, justify="left" if title == "operator" else "right")
    for one in found.worst_first[:SHOWN]:
        table.add_row(
            escape(one.layer), one.kind, f"{one.sqnr_db:.1f}", f"{one.added_db:+.1f}",
            f"{one.max_error:.3g}", f"{one.outside:.2%}",
        )  # fmt: skip
    console.print(table)
    rest = len(found.layers) - SHOWN
    if rest > 0:
        console.print(f"and {rest} better layers (--json, --html)")
    parting = found.parting(limit_db)
    if parting is None:
        console.print(f"they do not part: every layer has {limit_db:g} dB or more")
    else:
        where = f"they part at {parting.layer}: the first layer below {limit_db:g} dB"
        console.print(escape(f"{where} ({parting.sqnr_db:.1f} dB)"))
    alone = [f"{len(names)} only in {'AB'[index]}" for index, names in enumerate(found.only) if names]
    console.print(f"{len(found.layers)} layers in both; {', '.join(alone) or 'none in one only'}")
