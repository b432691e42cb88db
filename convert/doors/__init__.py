"""Doors: what a user has, a file each, becomes an open network.

A door is a module with a function that returns an `Opened`; the conversion asks for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.geometry.spec import DetectorSpec
    from model.layers.blocks import Detector


@dataclass(frozen=True, eq=False)
class Opened:
    """What came through a door.

    Attributes:
        network: In evaluation mode; takes what the spec says and returns boxes, scores and landmarks.
        spec: Name, input size and conventions.
        source: The file that it came from.
        notes: What the user should know about it, a line each.
    """

    network: Detector
    spec: DetectorSpec
    source: Path
    notes: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """How its files are called: "featherface_v2_320x320"."""
        return f"{self.spec.network}_{self.spec.input_height}x{self.spec.input_width}"
