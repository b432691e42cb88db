"""The networks this project knows, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector
from model.networks.featherface_v1 import FeatherFaceV1
from model.networks.featherface_v2 import FeatherFaceV2
from model.networks.retinaface import RetinaFace


@dataclass(frozen=True)
class Network:
    """How to build a network and the conventions of its input and outputs.

    Attributes:
        build: Makes the module with fresh weights.
        conventions: Fields of DetectorSpec that differ from its defaults.
        width_key: Parameter whose first dimension tells the neck's width; None for a fixed width.
        parts: Name of a part -> prefixes of its parameters, for the summary.
    """

    build: Callable[..., Detector]
    conventions: dict[str, Any]
    width_key: str | None
    parts: dict[str, tuple[str, ...]]


NETWORKS: dict[str, Network] = {
    "featherface_v1": Network(
        FeatherFaceV1,
        {},
        "bif_cbam_0.ChannelGate.mlp.3.weight",
        {
            "backbone": ("body.",),
            "attention": ("bacbkbone_", "bif_cbam_"),
            "neck": ("bifpn.",),
            "context": ("ssh",),
            "heads": ("ClassHead.", "BboxHead.", "LandmarkHead."),
        },
    ),
    "featherface_v2": Network(
        FeatherFaceV2,
        {"channel_order": "RGB", "mean": (0.0, 0.0, 0.0), "pad_rgb": (0, 0, 0), "score_channels": 1},
        None,
        {
            "backbone": ("backbone.",),
            "attention": ("attention.",),
            "neck": ("laterals.", "fusion."),
            "context": ("context.",),
            "heads": ("heads.",),
        },
    ),
    "retinaface": Network(
        RetinaFace,
        # Face-Detector-1MB's anchors: with RetinaFace's own (16 to 512) this checkpoint finds nothing.
        {"anchor_sizes": ((10, 20), (32, 64), (128, 256))},
        None,
        {
            "backbone": ("body.",),
            "neck": ("fpn.",),
            "context": ("ssh",),
            "heads": ("ClassHead.", "BboxHead.", "LandmarkHead."),
        },
    ),
}


def network_named(name: str) -> Network:
    """Look a network up.

    Raises:
        InputError: there is no such network; the message lists those there are.
    """
    if name not in NETWORKS:
        raise InputError(f"unknown network {name!r}: expected one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def spec_of(name: str, input_height: int, input_width: int) -> DetectorSpec:
    """The spec of a network at an input size in pixels.

    Raises:
        InputError: unknown network, or a side that is not a multiple of 32 or is out of range.
    """
    return DetectorSpec(name, input_height, input_width, **network_named(name).conventions)
