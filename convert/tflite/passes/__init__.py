"""What is done to a float file, in this order; a pass edits a ModelT in place.

A pass is exact, but for the order in which single precision sums up: the file is held against its origin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convert.tflite.passes.folded_constants import fold_constants
from convert.tflite.passes.folded_mean import fold_mean
from convert.tflite.passes.fused_activations import fuse_activations
from convert.tflite.passes.unused import drop_unused

FOREIGN_PASSES: tuple[Callable[[Any], None], ...] = (fold_constants, fuse_activations, drop_unused)
"""On a foreign file: what the converter does to this project's networks."""
PASSES: tuple[Callable[[Any], None], ...] = (fold_mean, drop_unused)
"""On every file, once its input takes pixels: what makes it cheaper."""
