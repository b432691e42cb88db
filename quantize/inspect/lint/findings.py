"""What lint says: a layer, a reason, a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["note", "warning", "error"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""From what costs time only, over what costs accuracy, to what makes an INT8 file collapse."""


@dataclass(frozen=True)
class Finding:
    """Something in a layer that will not survive INT8.

    Attributes:
        rule: Name of the rule, e.g. "leaky_relu".
        level: How bad.
        layer: Where.
        reason: Why it does not survive, with the figures of this layer.
        remedy: What to do.
        count: How often it stands in the layer.
    """

    rule: str
    level: Level
    layer: str
    reason: str
    remedy: str
    count: int = 1
