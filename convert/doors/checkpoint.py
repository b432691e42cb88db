"""A checkpoint (.pth) of one of this project's networks."""

from __future__ import annotations

from pathlib import Path

from convert.doors import Opened
from model.geometry.spec import parse_size
from model.networks import spec_of


def open_checkpoint(checkpoint: Path, network: str, size: str) -> Opened:
    """Load a checkpoint.

    Args:
        checkpoint: Trained weights.
        network: Name of the network they are of.
        size: Input size, "320" or "HEIGHTxWIDTH".

    Raises:
        InputError: unknown network, impossible size, or the weights are not of this network.
    """
    from model.checkpoint import load_checkpoint

    loaded = load_checkpoint(checkpoint, network)
    return Opened(loaded.network, spec_of(network, *parse_size(size)), checkpoint, tuple(loaded.notes))
