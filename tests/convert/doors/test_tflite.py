"""A foreign TFLite file through its door: the same numbers from RGB bytes, weights unpacked, RELUs fused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from convert.conversion import convert
from convert.doors import open_network
from convert.doors.guess import guess_spec
from convert.tflite.foreign import adopt, adopt_tflite
from convert.tflite.graph import read_graph
from convert.tflite.passes.fused_activations import fuse_activations
from model.foundation.artifact import Artifact
from model.foundation.errors import GateError, InputError
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import parse_model, read_model, write_model
from model.runtime.running import open_model
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import LARGEST_LOGIT, prepared
from quantize.calibrate.meter import measure_ranges
from quantize.recipe import read_recipe
from tests.conftest import ROOT, Converted
from tests.small_tflite import SmallModel

HEIGHT, WIDTH, CELLS = 64, 96, 8 * 12
SPEC = DetectorSpec(
    "small_blaze", HEIGHT, WIDTH, "BGR", (10.0, 120.0, 200.0), (127, 127, 127), (8,), ((1,),), (1.0, 1.0), 1,
    decoder="anchor_offsets:plain", std=(50.0, 100.0, 150.0), points=6, scores_from=("sigmoid(scores)",),
    boxes_from=("regressors[0:4]",), landmarks_from=("regressors[4:16]",),
)  # fmt: skip


def _half(small: SmallModel, name: str, values: np.ndarray) -> int:
    """A constant stored as float16 behind a DEQUANTIZE."""
    stored = small.constant(f"{name}/half", values.astype(np.float16))
    result = small.tensor(name, "float32", list(values.shape))
    small.add("DEQUANTIZE", [stored], [result])
    return result


def foreign_file(path: Path, rng: np.random.Generator, *, padded: bool = False) -> Path:
    """A detector as others publish theirs: float16 weights, each RELU by itself, logits, an output too many.

    The stem reads the image, or what a PAD makes of it if `padded`. "twice" is read by a RELU and by an
    ADD. Operator codes stand where files of the time before 2020 have them.
    """
    small = SmallModel()
    image = small.tensor("input", "float32", [1, HEIGHT, WIDTH, 3])

    def conv(name: str, source: int, shape: list[int], kernel: int, stride: int, padding: int = 0) -> int:
        depth = int(small.graph.tensors[source].shape[-1])
        scale = 1 / (kernel * kernel * depth) ** 0.5
        weight = rng.normal(0, scale, (shape[-1], kernel, kernel, depth))
        constants = [
            _half(small, f"{name}/w", weight),
            _half(small, f"{name}/b", rng.normal(0, 1, shape[-1])),
        ]
        result = small.tensor(name, "float32", shape)
        small.add("CONV_2D", [source, *constants], [result], strideH=stride, strideW=stride, padding=padding)
        return result

    def unary(kind: str, source: int, name: str, *more: int, shape: list[int] | None = None) -> int:
        result = small.tensor(name, "float32", shape or list(small.graph.tensors[source].shape))
        small.add(kind, [source, *more], [result])
        return result

    entry = image
    if padded:
        sides = small.constant("sides", np.array([[0, 0], [0, 1], [0, 1], [0, 0]], np.int32))
        entry = unary("PAD", image, "padded", sides, shape=[1, HEIGHT + 1, WIDTH + 1, 3])
    stem = conv("stem", entry, [1, 32, 48, 8], 3, 2, int(padded))
    stem = unary("RELU", stem, "activation")
    twice = conv("twice", stem, [1, 8, 12, 8], 3, 4)
    total = unary("ADD", twice, "sum", unary("RELU", twice, "activation"))
    total = unary("RELU6", total, "")
    rows = []
    for name, channels in (("regressors", 16), ("scores", 1)):
        shape = small.constant(f"{name}/shape", np.array([1, CELLS, channels], np.int32))
        head = conv(f"{name}/map", total, [1, 8, 12, channels], 1, 1)
        rows.append(unary("RESHAPE", head, name, shape, shape=[1, CELLS, channels]))
    for code in small.model.operatorCodes:
        code.builtinCode = 0
    return small.write(path, [image], [unary("RELU", twice, "spare"), *rows])


@pytest.fixture(params=[False, True], ids=["convolution first", "padding first"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path, rng: np.random.Generator) -> Path:
    return foreign_file(tmp_path / "foreign.tflite", rng, padded=request.param)


@pytest.fixture
def photographs(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(3)]


def _returned(content: bytes, image: np.ndarray) -> dict[str, np.ndarray]:
    """What the runtime's plain kernels make of an input, by the name of the output."""
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None].astype(np.float32))
    interpreter.invoke()
    return {one["name"]: interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()}


def test_it_computes_from_rgb_bytes_what_the_foreign_file_computes(
    foreign: Path, photographs: list[np.ndarray], tmp_path: Path
) -> None:
    made = tmp_path / "made.tflite"
    record = adopt_tflite(foreign, SPEC, made, photographs).record
    assert record["verdict"] is not None
    for pixels in photographs:
        scaled = (pixels[..., ::-1] - np.float32(SPEC.mean)) / np.float32(SPEC.std)
        expected, found = _returned(foreign.read_bytes(), scaled), _returned(made.read_bytes(), pixels)
        assert list(found) == ["regressors", "scores"]
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name], atol=2e-4)
        logits = expected["scores"].astype(np.float64)
        np.testing.assert_allclose(open_model(made)(pixels)[1], 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_nothing_is_left_of_float16_nor_of_what_no_output_needs(
    foreign: Path, photographs: list[np.ndarray], tmp_path: Path
) -> None:
    graph = read_graph(Path(adopt_tflite(foreign, SPEC, tmp_path / "made.tflite", photographs).path))
    assert {one.type for one in graph.tensors} == {"float32", "int32"}
    kinds = [one.kind for one in graph.operators]
    assert "DEQUANTIZE" not in kinds
    assert kinds.count("RELU") == 1  # of "twice", which the ADD reads too
    names = [one.name for one in graph.tensors]
    assert len(set(names)) == len(names)
    assert all(names)
    weight = next(one for one in graph.tensors if one.name == "regressors/map/w").constant
    stored = next(one for one in read_graph(foreign).tensors if one.name == "regressors/map/w/half").constant
    np.testing.assert_array_equal(weight, stored)


def test_fusing_changes_no_bit(foreign: Path, photographs: list[np.ndarray]) -> None:
    model = read_model(foreign)
    before = len(model.subgraphs[0].operators)
    fuse_activations(model)
    assert before - len(model.subgraphs[0].operators) == 2  # of "stem" and of "sum"
    path = foreign.with_name("fused.tflite")
    write_model(model, path)
    for pixels in photographs:
        expected, found = _returned(foreign.read_bytes(), pixels), _returned(path.read_bytes(), pixels)
        assert list(found) == list(expected)
        for name, values in found.items():
            np.testing.assert_array_equal(values, expected[name])


def test_its_int8_form_has_no_float_and_spends_its_levels_on_logits_that_matter(
    foreign: Path, photographs: list[np.ndarray], tmp_path: Path
) -> None:
    made = adopt_tflite(foreign, SPEC, tmp_path / "made.tflite", photographs).path
    ranges = measure_ranges(made, photographs)
    ranges["scores"]["mse"] = (-900.0, 5.0)
    bounds = prepared(ranges, "mse", made)
    assert bounds["scores"] == bounds["scores/map"] == (-LARGEST_LOGIT, 5.0)
    int8 = tmp_path / "int8.tflite"
    apply_recipe(read_recipe(ROOT / "quantize" / "recipes" / "int8.json"), made, bounds, int8)
    graph = read_graph(int8)
    assert {one.arithmetic for one in graph.operators} == {"int8"}
    assert [graph.tensors[index].scale[0] for index in graph.outputs][1] == pytest.approx(13 / 255)


def test_a_gate_stops_what_does_not_compute_the_same(
    foreign: Path, photographs: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(model: Any, spec: DetectorSpec, *, scale: bool) -> None:
        adopt(model, replace(spec, std=(50.0, 100.0, 151.0)), scale=scale)

    monkeypatch.setattr("convert.tflite.foreign.adopt", wrong)
    with pytest.raises(GateError, match="against foreign.tflite"):
        adopt_tflite(foreign, SPEC, tmp_path / "made.tflite", photographs)
    assert not (tmp_path / "made.tflite").exists()


def test_a_file_of_this_project_goes_through_as_it_takes_pixels(
    converted: Converted, tmp_path: Path, demo_set: Path
) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(converted.spec.to_json()))
    half = tmp_path / "half.tflite"
    apply_recipe(read_recipe(ROOT / "quantize" / "recipes" / "float16.json"), converted.float32, None, half)
    opened = open_network(half, spec=tmp_path / "spec.json")
    (artifact,) = convert(opened, demo_set / "evaluation" / "images", tmp_path)
    assert artifact.path.name == "featherface_v2_96x128_float32.tflite"
    record = Artifact.load(artifact.path).record
    assert record["made_from"]["checkpoint"]["file"] == "half.tflite"
    assert set(record["operators"]) == {one.kind for one in read_graph(converted.float32).operators}
    theirs, ours = open_model(half), open_model(artifact.path)
    for one, other in zip(theirs(converted.photographs[0]), ours(converted.photographs[0]), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4)


def _quantized(model: Any) -> None:
    weight = model.subgraphs[0].tensors[1]
    weight.type = schema.TensorType.INT8
    weight.quantization = schema.QuantizationParametersT()
    weight.quantization.scale, weight.quantization.zeroPoint = np.float32([0.1]), np.int64([0])
    model.buffers[weight.buffer].data = model.buffers[weight.buffer].data[::2]


def _custom(model: Any) -> None:
    code = next(
        one for one in model.operatorCodes if one.deprecatedBuiltinCode == schema.BuiltinOperator.RELU6
    )
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "Convolution2DTransposeBias"


def _second_graph(model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


def _untouched(_: Any) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "spec", "message"),
    [
        (_quantized, SPEC, r"is quantized already \(stem/w/half is int8 with a scale\)"),
        (_custom, SPEC, "a plain runtime lacks: Convolution2DTransposeBias"),
        (_second_graph, SPEC, "expected one subgraph, found 2"),
        (_untouched, replace(SPEC, input_width=64), r"shape \[1, 64, 64, 3\], found \[1, 64, 96, 3\]"),
        (_untouched, replace(SPEC, scores_from=("sigmoid(cls)",)), "outputs cls; the file has spare"),
    ],
)  # fmt: skip
def test_what_cannot_be_adopted_is_said(
    change: Any, spec: DetectorSpec, message: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    file = foreign_file(tmp_path / "foreign.tflite", rng)
    model = parse_model(file.read_bytes())
    change(model)
    write_model(model, file)
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_json()))
    with pytest.raises(InputError, match=message):
        open_network(file, spec=tmp_path / "spec.json")
    with pytest.raises(InputError, match="--spec"):
        open_network(file)


def test_a_spec_is_guessed_from_the_graph(tmp_path: Path, rng: np.random.Generator) -> None:
    file = foreign_file(tmp_path / "foreign.tflite", rng)
    model = read_model(file)
    model.subgraphs[0].outputs = model.subgraphs[0].outputs[1:]
    write_model(model, file)
    guess = DetectorSpec.from_json(guess_spec(file).spec)
    assert (guess.input_height, guess.input_width) == (HEIGHT, WIDTH)
    for field in (
        "decoder",
        "strides",
        "anchor_sizes",
        "variances",
        "points",
        "boxes_from",
        "landmarks_from",
    ):
        assert getattr(guess, field) == getattr(SPEC, field)
    with pytest.raises(InputError, match="takes 64x96 only, 320 was asked for"):
        guess_spec(file, "320")
