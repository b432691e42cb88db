"""Command line: note which checkpoint a build is for, and refuse early what cannot work.

The file changes only when the checkpoint does, so that `make` rebuilds for another one, newer or older.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.foundation.artifact import replacing, sha256_of
from model.foundation.errors import InputError, exit_code_of
from model.geometry.spec import DetectorSpec, parse_size
from model.networks import NETWORKS


def main() -> int:
    """Check the size and the file, and write the hash if it is new."""
    parser = argparse.ArgumentParser(prog="python -m convert.stamp", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--size", required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.network not in NETWORKS.names():
        raise InputError(f"unknown network {arguments.network!r}: expected one of {', '.join(NETWORKS)}")
    DetectorSpec(arguments.network, *parse_size(arguments.size))
    if not arguments.checkpoint.is_file():
        raise InputError(f"no such checkpoint file: {arguments.checkpoint}")
    stamp = f"{sha256_of(arguments.checkpoint)}\n"
    if not arguments.output.is_file() or arguments.output.read_text() != stamp:
        with replacing(arguments.output) as temporary:
            temporary.write_text(stamp)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
