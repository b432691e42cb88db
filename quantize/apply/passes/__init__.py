"""What is done to the file that the quantizer returns, in this order; a pass edits a ModelT in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quantize.apply.passes.byte_input import take_bytes
from quantize.apply.passes.identity_rescaling import drop_identity_rescaling
from quantize.apply.passes.integer_outputs import keep_integer_outputs
from quantize.apply.passes.row_pads import pad_rows

PASSES: tuple[Callable[[Any], None], ...] = (
    drop_identity_rescaling,
    keep_integer_outputs,
    take_bytes,
    pad_rows,
)
