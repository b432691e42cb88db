"""Weights that are stored sparse or as float16 become what the runtime makes of them."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.graph import operator_kinds
from convert.tflite.passes.folded_constants import fold_constants
from convert.tflite.passes.unused import drop_unused
from model.runtime.flatbuffer import pack_model
from model.runtime.interpreter import TfliteInterpreter
from tests.small_tflite import SmallModel

ROWS = np.float16([[0, 1.5, 0], [-2, 0, 0.25]])


def _dimension(kind: int, size: int = 0, segments: list[int] | None = None, places: list[int] | None = None):  # type: ignore[no-untyped-def]
    found = schema.DimensionMetadataT()
    found.format, found.denseSize = kind, size
    for name, numbers in (("arraySegments", segments), ("arrayIndices", places)):
        if numbers is not None:
            vector = schema.Int32VectorT()
            vector.values = np.array(numbers, np.int32)
            setattr(found, name, vector)
            setattr(found, f"{name}Type", schema.SparseIndexVector.Int32Vector)
    return found


def test_sparse_half_weights_are_stored_as_they_are_computed() -> None:
    small = SmallModel()
    image = small.tensor("input", "float32", [2, 3])
    sparse = small.constant("sparse", ROWS[ROWS != 0])
    tensor = small.graph.tensors[sparse]
    tensor.shape, tensor.sparsity = np.array([2, 3], np.int32), schema.SparsityParametersT()
    tensor.sparsity.traversalOrder = np.array([0, 1], np.int32)
    tensor.sparsity.dimMetadata = [
        _dimension(schema.DimensionType.DENSE, 2),
        _dimension(schema.DimensionType.SPARSE_CSR, segments=[0, 1, 3], places=[1, 0, 2]),
    ]
    half, whole = small.tensor("half", "float16", [2, 3]), small.tensor("whole", "float32", [2, 3])
    result = small.tensor("sum", "float32", [2, 3])
    small.add("DENSIFY", [sparse], [half])
    small.add("DEQUANTIZE", [half], [whole])
    small.add("ADD", [image, whole], [result])
    model = small.model
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = np.int32([image]), np.int32([result])
    values = np.float32([[1, 2, 3], [4, 5, 6]])

    fold_constants(model)
    drop_unused(model)
    assert list(operator_kinds(model)) == ["ADD"]
    runtime = TfliteInterpreter(pack_model(model))
    runtime.run_real(values)
    np.testing.assert_array_equal(runtime.value(runtime.outputs[0]), values + ROWS)
