"""What a file costs on an ARM core, layer by layer, from layers that were counted."""

from pathlib import Path
from typing import Literal

Objective = Literal["a53", "a55", "a72", "a76", "bytes"]
"""What is made small: the instructions of an inference on a core, or the file."""

TABLE = Path(__file__).with_name("counted_layers.json")
"""The layers that were counted."""
