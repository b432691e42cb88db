"""A checkpoint (.pth) of one of this project's networks."""

from __future__ import annotations

from pathlib import Path

from convert.doors import Opened
from model.foundation.artifact import replacing, sha256_of
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec, parse_size
from model.networks import NETWORKS, spec_of


def check(checkpoint: Path, network: str, size: str) -> None:
    """Refuse what cannot work before PyTorch is imported, which takes seconds.

    Raises:
        InputError: no such file or network, or a size that is none.
    """
    if network not in NETWORKS.names():
        raise InputError(f"unknown network {network!r}: expected one of {', '.join(NETWORKS)}")
    DetectorSpec(network, *parse_size(size))
    if not checkpoint.is_file():
        raise InputError(f"no such checkpoint file: {checkpoint}")


def write_stamp(checkpoint: Path, stamp: Path) -> None:
    """Note which checkpoint a build is for, the hash of its content, if that is new.

    The file changes only when the checkpoint does, so that `make` rebuilds for another one, newer or older.
    """
    line = f"{sha256_of(checkpoint)}\n"
    if not stamp.is_file() or stamp.read_text() != line:
        with replacing(stamp) as temporary:
            temporary.write_text(line)


def open_checkpoint(checkpoint: Path, network: str, size: str) -> Opened:
    """Load a checkpoint.

    Args:
        checkpoint: Trained weights.
        network: Name of the network they are of.
        size: Input size, "320" or "HEIGHTxWIDTH".

    Raises:
        InputError: as `check`, or the weights are not of this network.
    """
    check(checkpoint, network, size)
    from model.checkpoint import load_checkpoint

    loaded = load_checkpoint(checkpoint, network)
    return Opened(loaded.network, spec_of(network, *parse_size(size)), checkpoint, tuple(loaded.notes))
