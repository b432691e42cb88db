"""What is done to a foreign float file, in this order; a pass edits a ModelT in place and is exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convert.tflite.passes.folded_constants import fold_constants
from convert.tflite.passes.fused_activations import fuse_activations
from convert.tflite.passes.unused import drop_unused

PASSES: tuple[Callable[[Any], None], ...] = (fold_constants, fuse_activations, drop_unused)
