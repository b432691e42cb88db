"""Trained constants, written into the float file that they came from, bit by bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from model.runtime.flatbuffer import read_model, text, write_model


def write_constants(model: Path, constants: Mapping[str, NDArray[np.float32]], output: Path) -> None:
    """Copy a float TFLite file with other weights and biases.

    Args:
        model: The file.
        constants: Name of a stored tensor -> its values, float32 as TFLite orders them.
        output: File to write.

    Raises:
        ValueError: the file stores no tensor of that name, shape and type.
    """
    made = read_model(model)
    tensors = {text(tensor.name): tensor for tensor in made.subgraphs[0].tensors}
    readers = Counter(tensor.buffer for graph in made.subgraphs for tensor in graph.tensors)
    for name, value in constants.items():
        tensor = tensors.get(name)
        stored = None if tensor is None else made.buffers[tensor.buffer].data
        if tensor is None or stored is None or len(stored) != value.nbytes:
            raise ValueError(f"{model.name} stores no {name} of {value.nbytes} bytes")
        if readers[tensor.buffer] > 1:  # equal constants are stored once, and need not stay equal
            readers[tensor.buffer] -= 1
            made.buffers.append(schema.BufferT())
            tensor.buffer = len(made.buffers) - 1
        made.buffers[tensor.buffer].data = np.frombuffer(value.tobytes(), np.uint8)
    write_model(made, output)
