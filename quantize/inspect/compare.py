"""Two TFLite files of one network layer by layer, the worst first, and where they part."""

from __future__ import annotations

from convert.tflite.layer_difference import LayerComparison, Watched
from model.foundation.command_line.terminal import console, narrow_table
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import spec_inside

SHOWN = 12
UNKNOWN = "unknown"


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


def print_comparison(found: LayerComparison) -> None:
    """Print the worst layers and where the files part."""
    screen = console(wide=True, soft_wrap=True)
    table = narrow_table("layer")
    for title in ("operator", "SQNR, dB", "added, dB", "largest error", "outside"):
        table.add_column(title, no_wrap=True, justify="left" if title == "operator" else "right")
    for one in found.layers[:SHOWN]:
        table.add_row(
            one.layer, one.kind, f"{one.sqnr_db:.1f}", f"{one.added_db:+.1f}",
            f"{one.max_error:.3g}", f"{one.outside:.2%}",
        )  # fmt: skip
    screen.print(table)
    rest = len(found.layers) - SHOWN
    if rest > 0:
        screen.print(f"and {rest} better layers (--json, --html)")
    if found.parting is None:
        screen.print(f"they do not part: every layer has {found.limit_db:g} dB or more")
    else:
        ratio = next(one.sqnr_db for one in found.layers if one.layer == found.parting)
        where = f"they part at {found.parting}: the first layer below {found.limit_db:g} dB"
        screen.print(f"{where} ({ratio:.1f} dB)")
    both = zip("AB", (found.only_in_first, found.only_in_second), strict=True)
    alone = [f"{len(names)} only in {file}" for file, names in both if names]
    screen.print(f"{len(found.layers)} layers in both; {', '.join(alone) or 'none in one only'}")
