"""The commands of calibration_data: compose the demo set, select images for calibration."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.command_line.command_table import Command

COMMANDS = (
    Command(
        "demo",
        "calibration_data.commands:demo",
        "compose the embedded demo set",
        "--output build/demo",
        front="demo-set",
    ),
    Command(
        "select",
        "calibration_data.commands:select",
        "choose images for calibration and record which, with their hashes",
        "--images build/demo/calibration/images --count 64 --output build/calibration.json",
        front="select-images",
    ),
)


def demo(*, output: Annotated[flags.Output, Parameter(help="folder to write")], seed: flags.Seed = 0) -> None:
    """Compose the embedded demo set: pictures with pasted faces, half for calibration, half labelled."""
    from model.foundation.command_line.progress import step

    with step("demo set: composing its pictures"):
        from calibration_data.demo import write_demo_set

        write_demo_set(output, seed)


def select(
    *,
    images: flags.Images,
    output: Annotated[flags.Output, Parameter(help="manifest (JSON) to write")],
    count: Annotated[int, Parameter(help="how many images, drawn at random with --seed")] = 128,
    seed: flags.Seed = 0,
) -> None:
    """Choose images for calibration and record which, with their hashes.

    Images that cannot be read are named and left out. A manifest that says the same already is not touched.
    """
    import sys

    from model.foundation.command_line.progress import passing

    with passing(f"{images}: choosing photographs"):
        from calibration_data.selection import select_images, write_manifest

        manifest, broken = select_images(images, count, seed)
    if broken:
        print(broken, file=sys.stderr)
    if write_manifest(manifest, output):
        print(f"selected {len(manifest.files)} image(s) from {images} -> {output}")
