"""The networks known by name, a file each: how to build one, its conventions, its parts, its channels.

A file `NAME.py` in this folder that holds `NETWORK` is a network: nothing else names it. Its mixed recipe
is `quantize/recipes/NAME_int8_fp16.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.foundation.registry import Registry
from model.geometry.spec import DetectorSpec

if TYPE_CHECKING:
    from model.layers.blocks import Detector
    from model.layers.channel_groups import Group


@dataclass(frozen=True)
class Network:
    """How to build a network and the conventions of its input and outputs.

    Attributes:
        build: Makes the module with fresh weights.
        conventions: Fields of DetectorSpec that differ from its defaults.
        parts: Name of a part -> prefixes of its parameters, for the table of parameters.
        channel_groups: Says which channels may be scaled together, for equalization; None if nobody knows.
        width_key: Parameter whose first dimension tells the neck's width; None for a fixed width.
    """

    build: Callable[..., Detector]
    conventions: dict[str, Any]
    parts: dict[str, tuple[str, ...]]
    channel_groups: Callable[[], list[Group]] | None = None
    width_key: str | None = None


NETWORKS: Registry[Network] = Registry("model.networks", "NETWORK", "network")


def spec_of(name: str, input_height: int, input_width: int) -> DetectorSpec:
    """The spec of a network at an input size in pixels.

    Raises:
        InputError: unknown network, or a side that is not a multiple of 32 or is out of range.
    """
    return DetectorSpec(name, input_height, input_width, **NETWORKS[name].conventions)
