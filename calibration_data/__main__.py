"""Command line: compose the demo set, select images for calibration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.foundation.errors import exit_code_of


def main() -> int:
    """Parse the arguments and run one command."""
    parser = argparse.ArgumentParser(prog="python -m calibration_data", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="compose the embedded demo set")
    demo.add_argument("--output", type=Path, required=True, help="folder to write")
    demo.add_argument("--seed", type=int, default=0)
    select = commands.add_parser("select", help="choose images and record which, with their hashes")
    select.add_argument("--images", type=Path, required=True, help="folder, searched with its subfolders")
    select.add_argument("--count", type=int, default=128)
    select.add_argument("--seed", type=int, default=0)
    select.add_argument("--output", type=Path, required=True, help="manifest (JSON) to write")
    arguments = parser.parse_args()
    if arguments.command == "demo":
        from calibration_data.demo import write_demo_set

        write_demo_set(arguments.output, arguments.seed)
        return 0
    from calibration_data.selection import select_images, write_manifest

    manifest, broken = select_images(arguments.images, arguments.count, arguments.seed)
    if broken:
        print(broken, file=sys.stderr)
    if write_manifest(manifest, arguments.output):
        print(f"selected {len(manifest.files)} image(s) from {arguments.images} -> {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
