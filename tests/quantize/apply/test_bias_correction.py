"""Bias correction on the real integer file: an error that was put into it is found and taken out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from model.foundation.errors import InputError
from model.runtime.flatbuffer import read_model, text
from model.runtime.running import open_model
from quantize.apply.bias_correction import correct_biases
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import prepared
from quantize.calibrate.images import CalibrationImages
from quantize.calibrate.meter import measure_ranges
from quantize.recipe import read_recipe
from quantize.tune.sensitivity import all_int8
from tests.conftest import Converted

SHIFT = 3000


@pytest.fixture(scope="module")
def int8(converted: Converted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("bias") / "int8.tflite"
    bounds = prepared(measure_ranges(converted.float32, converted.photographs), "min_max", converted.float32)
    apply_recipe(all_int8("min_max"), converted.float32, bounds, output)
    return output


def _bias(path: Path, name: str) -> tuple[int, bytearray]:
    """Buffer of a bias tensor, and the file's bytes."""
    graph = read_model(path).subgraphs[0]
    tensor = next(t for t in graph.tensors if text(t.name) == name)
    return int(tensor.buffer), bytearray(path.read_bytes())


def _values(content: bytearray, buffer: int) -> np.ndarray:
    values: np.ndarray = schema.Model.GetRootAs(content, 0).Buffers(buffer).DataAsNumpy().view(np.int32)
    return values


def test_a_wrong_bias_is_corrected(int8: Path, converted: Converted, tmp_path: Path) -> None:
    buffer, content = _bias(int8, "heads/boxes/bias")
    right = _values(content, buffer).copy()
    _values(content, buffer)[:] += SHIFT
    damaged, mended = tmp_path / "damaged.tflite", tmp_path / "mended.tflite"
    damaged.write_bytes(content)

    corrected = correct_biases(converted.float32, damaged, converted.photographs, mended)
    assert corrected > 40
    left = np.abs(_values(bytearray(mended.read_bytes()), buffer) - right)
    assert left.max() < SHIFT / 3

    def error(path: Path) -> float:
        reference, candidate = open_model(converted.float32), open_model(path)
        differences = [
            (candidate.run(image).values[0] - reference.run(image).values[0]).mean()
            for image in converted.photographs
        ]
        return float(np.abs(np.mean(differences)))

    assert error(mended) < 0.2 * error(damaged)


def test_unusable_input_is_refused(int8: Path, converted: Converted, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image"):
        correct_biases(converted.float32, int8, [], tmp_path / "x.tflite")
    with pytest.raises(InputError, match="no int8 layer"):
        correct_biases(converted.float32, converted.float32, converted.photographs, tmp_path / "x.tflite")
    with pytest.raises(InputError, match="--calibration"):
        CalibrationImages((), converted.spec)


def test_a_recipe_switches_it_on(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    recipe = {"name": "int8", "bias_correction": True, "layers": [{"match": ".", "precision": "int8"}]}
    path.write_text(json.dumps(recipe))
    assert read_recipe(path).bias_correction
    path.write_text(json.dumps(recipe | {"bias_correction": "yes"}))
    with pytest.raises(InputError, match="bias_correction"):
        read_recipe(path)
