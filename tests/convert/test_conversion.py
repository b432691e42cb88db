"""One real conversion of the embedded checkpoint, looked at from all sides."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter

from convert.tflite.graph import read_graph
from model.foundation.artifact import Artifact, sha256_of
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import spec_inside
from model.runtime.running import open_model
from tests.conftest import EMBEDDED, Converted

EXPECTED_OPERATORS = {
    "ADD": 10,
    "CONCATENATION": 1,
    "CONV_2D": 34,
    "DEPTHWISE_CONV_2D": 24,
    "FULLY_CONNECTED": 3,
    "LOGISTIC": 1,
    "MAX_POOL_2D": 4,
    "MEAN": 3,
    "MUL": 3,
    "PAD": 5,
    "RESHAPE": 6,
    "RESIZE_BILINEAR": 4,
}
"""No transpose, no stand-alone activation, no arithmetic left over from a batch norm."""


def test_v2_has_the_operators_of_its_layers_and_no_more(converted: Converted) -> None:
    assert dict(Counter(one.kind for one in read_graph(converted.float32).operators)) == EXPECTED_OPERATORS


def test_all_outputs_agree_with_pytorch_and_onnx(converted: Converted) -> None:
    record = Artifact.load(converted.float32).record
    for reference in ("torch", "onnx"):
        outputs = record["parity"][reference]["outputs"]
        assert outputs["scores"]["max_error"] < 1e-4
        assert outputs["boxes"]["max_error"] < 1e-3
        assert outputs["landmarks"]["max_error"] < 1e-3


def test_the_signature_and_the_outputs_order(converted: Converted) -> None:
    interpreter = Interpreter(str(converted.float32))
    assert list(interpreter.get_signature_list()) == ["detect"]
    assert interpreter.get_signature_list()["detect"]["inputs"] == ["image"]
    assert [d["name"] for d in interpreter.get_output_details()] == ["boxes", "scores", "landmarks"]
    shapes = [tuple(d["shape"]) for d in interpreter.get_output_details()]
    assert shapes == list(converted.spec.output_shapes)
    assert tuple(interpreter.get_input_details()[0]["shape"]) == (1, 96, 128, 3)
    runner = interpreter.get_signature_runner("detect")
    image = converted.photographs[0][None].astype(np.float32)
    by_name = runner(image=image)
    by_order = open_model(converted.float32).run(converted.photographs[0]).values
    for name, expected in zip(converted.spec.output_names, by_order, strict=True):
        np.testing.assert_array_equal(by_name[name], expected)


def test_the_spec_is_inside_both_files_and_beside_them(converted: Converted) -> None:
    assert spec_inside(converted.float32) == converted.spec
    inside = {p.key: p.value for p in onnx.load(converted.onnx).metadata_props}["featherface_spec"]
    assert DetectorSpec.from_json(json.loads(inside)) == converted.spec
    for path in (converted.float32, converted.onnx):
        record = Artifact.load(path).record
        assert DetectorSpec.from_json(record["spec"]) == converted.spec
        assert record["sha256"] == sha256_of(path)
        assert record["made_from"]["checkpoint"]["sha256"] == sha256_of(EMBEDDED)
