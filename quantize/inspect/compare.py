"""`compare`: two TFLite files of one network layer by layer, the worst first, and where they part."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.foundation.artifact import replacing, sha256_of, tool_versions, write_json
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec, read_spec

if TYPE_CHECKING:
    from convert.tflite.layer_difference import LayerComparison

FORMAT, VERSION = "featherface-layer-sqnr", 1
SHOWN = 12
WIDE = 160
"""Columns where the output is no terminal."""
UNKNOWN = "unknown"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "compare", help="SQNR of each layer between two TFLite files, with histograms", description=__doc__
    )
    command.add_argument("first", type=Path, metavar="A.tflite", help="reference, e.g. the float32 file")
    command.add_argument("second", type=Path, metavar="B.tflite", help="e.g. the int8 file")
    command.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="photographs")
    command.add_argument(
        "--count", type=int, default=8, help="use the first COUNT readable images (default: %(default)s)"
    )
    command.add_argument(
        "--limit-db", type=float, default=20.0,
        help="the files part where a layer's SQNR falls below this (default: %(default)s dB)",
    )  # fmt: skip
    command.add_argument("--spec", type=Path, help="detector spec (JSON) for files that carry none")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page with histograms")
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="write the table; `benchmark report --layers` reads it"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare, print the worst layers, write the page and the table."""
    if options.count < 1:
        raise InputError(f"--count: expected at least 1, found {options.count}")
    from rich.progress import track

    from convert.photographs import parity_inputs
    from convert.tflite.layer_difference import Watched, compare_layers

    first, second = Watched(options.first), Watched(options.second)
    if (first.height, first.width) != (second.height, second.width):
        raise InputError(
            f"{options.first.name} takes {first.height}x{first.width} and {options.second.name} "
            f"{second.height}x{second.width}: expected two files of one input size"
        )
    spec = _spec(options, first.height, first.width)
    inputs = parity_inputs(options.images, spec, options.count)
    found = compare_layers(first, second, track(inputs, "both files on each image", transient=True))
    _print(options, found)
    value = summary(options.first, options.second, found, options.limit_db)
    if options.json is not None:
        write_json(options.json, value)
    if options.html is not None:
        from quantize.inspect.compare_page import page

        with replacing(options.html) as temporary:
            temporary.write_text(page(value, found), encoding="utf-8")
    return 0


def summary(first: Path, second: Path, found: LayerComparison, limit_db: float) -> dict[str, Any]:
    """All figures as JSON values; "layers" has the worst first."""
    parting = found.parting(limit_db)
    return {
        "format": FORMAT,
        "version": VERSION,
        "title": f"SQNR of {second.name} against {first.name}, dB, {found.images} images",
        "first": {"file": first.name, "sha256": sha256_of(first)},
        "second": {"file": second.name, "sha256": sha256_of(second)},
        "images": found.images,
        "limit_db": limit_db,
        "parting": None if parting is None else parting.layer,
        "only_in_first": list(found.only[0]),
        "only_in_second": list(found.only[1]),
        "layers": [asdict(one) for one in found.worst_first],
        "tools": tool_versions("ai-edge-litert", "numpy"),
    }


def _spec(options: argparse.Namespace, height: int, width: int) -> DetectorSpec:
    from model.runtime.flatbuffer import spec_inside

    given = None if options.spec is None else read_spec(options.spec)
    spec = given or spec_inside(options.first) or spec_inside(options.second)
    if spec is None:  # only the letterbox is needed: its size is the file's, its border black
        spec = DetectorSpec(UNKNOWN, height, width, pad_rgb=(0, 0, 0))
    if (spec.input_height, spec.input_width) != (height, width):
        raise InputError(
            f"{options.first} takes {height}x{width}, its spec says {spec.input_height}x{spec.input_width}"
        )
    return spec


def _print(options: argparse.Namespace, found: LayerComparison) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

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
    parting = found.parting(options.limit_db)
    if parting is None:
        console.print(f"they do not part: every layer has {options.limit_db:g} dB or more")
    else:
        console.print(
            escape(
                f"they part at {parting.layer}: the first layer below {options.limit_db:g} dB "
                f"({parting.sqnr_db:.1f} dB)"
            )
        )
    alone = [f"{len(names)} only in {'AB'[index]}" for index, names in enumerate(found.only) if names]
    console.print(f"{len(found.layers)} layers in both; {', '.join(alone) or 'none in one only'}")
