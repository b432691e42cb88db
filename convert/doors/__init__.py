"""Doors: what a user has, a file each, becomes an open network.

A door is a module with a function that returns an `Opened`, a network to convert, or an `OpenedFile`, a
TFLite file whose graph is kept; the conversion asks for nothing else. `open_network` chooses the door by what
is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec, parse_size, read_spec
from model.networks import NETWORKS

if TYPE_CHECKING:
    from torch import nn

FOREIGN_FILES = (".onnx", ".tflite")
"""Suffixes of files that hold their network; all others hold its weights."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What came through a door.

    Attributes:
        network: In evaluation mode; takes what the spec says and returns the outputs that it names.
        spec: Name, input size and conventions.
        source: The file that it came from.
        notes: What the user should know about it, a line each.
        name: What its files are called, if not as the network.
    """

    network: nn.Module
    spec: DetectorSpec
    source: Path
    notes: tuple[str, ...] = ()
    name: str = ""

    @property
    def stem(self) -> str:
        """How its files begin: "featherface_v2_320x320"."""
        return _stem(self.name, self.spec)


@dataclass(frozen=True)
class OpenedFile:
    """A float TFLite file that came through a door: its graph is kept.

    Attributes:
        spec, source, notes, name: As of `Opened`.
    """

    spec: DetectorSpec
    source: Path
    notes: tuple[str, ...] = ()
    name: str = ""

    @property
    def stem(self) -> str:
        """How its files begin."""
        return _stem(self.name, self.spec)


def check(source: Path, network: str = "", spec: Path | None = None, size: str = "") -> None:
    """Refuse what cannot work before PyTorch is imported, which takes seconds; see `open_network`.

    Raises:
        InputError: no such file or network, no spec for a foreign network, or a size that is none.
    """
    if not source.is_file():
        raise InputError(f"no such checkpoint file: {source}")
    if spec is not None:
        _sized(read_spec(spec), size)
        if source.suffix not in FOREIGN_FILES and ":" not in network:
            raise InputError(
                f"{source} with --spec: say what builds its network with --network package.module:function"
            )
    elif source.suffix in FOREIGN_FILES or ":" in network:
        raise InputError(f"{source}: say how to feed and read it with --spec (see convert/README.md)")
    elif network not in NETWORKS.names():
        raise InputError(f"unknown network {network!r}: expected one of {', '.join(NETWORKS)}")
    else:
        DetectorSpec(network, *parse_size(size or "320"))


def named(name: str) -> str:
    """A name for files.

    Raises:
        InputError: it is of more than letters, digits, dot, dash and underscore.
    """
    if not re.fullmatch(r"[\w.-]*", name, re.ASCII):
        raise InputError(f"a name is of letters, digits, '.', '-' and '_', found {name!r}")
    return name


def open_network(
    source: Path, network: str = "", spec: Path | None = None, size: str = ""
) -> Opened | OpenedFile:
    """Open what the user has.

    Args:
        source: Trained weights (.pth), an ONNX file, or a float TFLite file.
        network: What the weights are of: a file of model/networks, or "package.module:function" with a spec.
        spec: JSON that says how to feed and read a network that is none of this project's.
        size: Input size, "320" or "HEIGHTxWIDTH"; the spec's own, or 320, unless said.

    Raises:
        InputError: something is missing or cannot be used.
    """
    from convert.doors import checkpoint, function, onnx, tflite

    check(source, network, spec, size)
    if spec is None:
        return checkpoint.open_checkpoint(source, network, size or "320")
    described = _sized(read_spec(spec), size)
    if source.suffix == ".onnx":
        return onnx.open_onnx(source, described)
    if source.suffix == ".tflite":
        return tflite.open_tflite(source, described)
    return function.open_function(network, source, described)


def _sized(spec: DetectorSpec, size: str) -> DetectorSpec:
    if not size:
        return spec
    height, width = parse_size(size)
    return replace(spec, input_height=height, input_width=width)


def _stem(name: str, spec: DetectorSpec) -> str:
    return f"{name or spec.network}_{spec.input_height}x{spec.input_width}"
