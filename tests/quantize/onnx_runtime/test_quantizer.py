"""A recipe on a small ONNX network with layer names: what becomes int8, what float16, what stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from calibration_data.selection import select_images, write_manifest
from convert.onnx_file.graph import OnnxGraph
from model.foundation.errors import InputError
from model.runtime.running import open_model
from quantize.__main__ import main
from quantize.onnx_runtime.quantizer import layer_precisions, quantize_onnx, store_halves, weight_census
from quantize.recipe import LayerRule, Recipe
from tests.conftest import EMBEDDED, ROOT, Converted

SIDE = 16
MIXED = Recipe("int8_fp16", (LayerRule(".", "int8"), LayerRule("^heads/(boxes|scores)$", "float16")))


@pytest.fixture
def network(rng: np.random.Generator) -> Any:
    """stem (3 -> 8, 3x3), ReLU, body (8 -> 8), and two heads of 4 and 2 channels."""
    weights = {
        "stem/w": rng.normal(0, 0.05, (8, 3, 3, 3)),
        "body/w": rng.normal(0, 0.3, (8, 8, 1, 1)),
        "boxes/w": rng.normal(0, 0.3, (4, 8, 1, 1)),
        "scores/w": rng.normal(0, 0.3, (2, 8, 1, 1)),
    }
    nodes = [
        helper.make_node("Conv", ["image", "stem/w"], ["a"], name="stem", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="stem:1"),
        helper.make_node("Conv", ["b", "body/w"], ["c"], name="body"),
        helper.make_node("Relu", ["c"], ["d"], name="body:1"),
        helper.make_node("Conv", ["d", "boxes/w"], ["boxes"], name="heads/boxes"),
        helper.make_node("Conv", ["d", "scores/w"], ["scores"], name="heads/scores"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, SIDE, SIDE])
            for name, channels in (("boxes", 4), ("scores", 2))
        ],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model.metadata_props.add(key="featherface_spec", value="{}")
    onnx.checker.check_model(model)
    return model


@pytest.fixture
def inputs(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    return [rng.integers(0, 256, (1, 3, SIDE, SIDE)).astype(np.float32) for _ in range(8)]


def _run(model: Any, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"image": image}))


MACS = {
    "stem": SIDE * SIDE * 8 * 27,
    "body": SIDE * SIDE * 8 * 8,
    "heads": SIDE * SIDE * 6 * 8,
}


def test_precisions_go_by_the_layer_whatever_the_number(network: Any) -> None:
    found = layer_precisions(MIXED, network)
    assert {node: row.name for node, row in found.items()} == {
        "stem": "int8",
        "stem:1": "int8",
        "body": "int8",
        "body:1": "int8",
        "heads/boxes": "float16",
        "heads/scores": "float16",
    }


def test_a_number_of_the_tflite_file_is_no_mistake_but_a_strange_layer_is(network: Any) -> None:
    layer_precisions(Recipe("int8", (LayerRule(".", "int8"), LayerRule("^body:4$", "float16"))), network)
    with pytest.raises(InputError, match=r"no layer matches '\^bdoy\$'; there are body"):
        layer_precisions(Recipe("int8", (LayerRule("^bdoy$", "float16"),)), network)


def test_what_onnx_runtime_has_no_kernels_for_is_refused(network: Any) -> None:
    with pytest.raises(InputError, match="ONNX Runtime has no kernels for dynamic layers"):
        layer_precisions(Recipe("dynamic", (LayerRule(".", "dynamic"),)), network)


def test_layers_get_the_arithmetic_that_the_recipe_says(
    network: Any, inputs: list[NDArray[np.float32]]
) -> None:
    before = network.SerializeToString()
    made = quantize_onnx(MIXED, network, inputs)
    assert network.SerializeToString() == before
    assert weight_census(made) == {
        "int8": MACS["stem"] + MACS["body"],
        "float16": MACS["heads"],
        "float32": 0,
    }
    stored = {one.name: one.data_type for one in made.graph.initializer}
    halves = [name for name, kind in stored.items() if kind == TensorProto.FLOAT16]
    assert sorted(halves) == ["boxes/w/float16", "scores/w/float16"]
    assert {one.key for one in made.metadata_props} >= {"featherface_spec"}
    graph = OnnxGraph.of(made)
    steps = [node for node in graph.nodes if node.op_type == "QuantizeLinear"]
    assert steps
    assert {np.size(graph.constant(node.input[1])) for node in steps} == {1}
    for image in inputs[:2]:
        for expected, found in zip(_run(network, image), _run(made, image), strict=True):
            noise = np.square(expected - found).sum()
            assert 10 * np.log10(np.square(expected).sum() / noise) > 20


def test_halves_are_rounded_weights_and_nothing_else(network: Any, inputs: list[NDArray[np.float32]]) -> None:
    """Against weights rounded by hand in the float network."""
    made = onnx.ModelProto()
    made.CopyFrom(network)
    assert store_halves(made, {"heads/boxes"}) == 1
    by_hand = onnx.ModelProto()
    by_hand.CopyFrom(network)
    for one in by_hand.graph.initializer:
        if one.name == "boxes/w":
            rounded = numpy_helper.to_array(one).astype(np.float16).astype(np.float32)
            one.CopyFrom(numpy_helper.from_array(rounded, one.name))
    for expected, found in zip(_run(by_hand, inputs[0]), _run(made, inputs[0]), strict=True):
        np.testing.assert_array_equal(expected, found)
    assert len(made.SerializeToString()) < len(network.SerializeToString()) + 200


def test_a_recipe_without_int8_needs_no_images(network: Any) -> None:
    made = quantize_onnx(Recipe("float16", (LayerRule(".", "float16"),)), network, [])
    assert weight_census(made) == {"int8": 0, "float16": sum(MACS.values()), "float32": 0}
    with pytest.raises(InputError, match="give images to calibrate on"):
        quantize_onnx(MIXED, network, [])


def test_an_estimator_that_nncf_lacks_is_refused(network: Any, inputs: list[NDArray[np.float32]]) -> None:
    with pytest.raises(InputError, match="entropy"):
        quantize_onnx(Recipe("int8", (LayerRule(".", "int8"),), "entropy"), network, inputs)


def test_the_command_makes_a_file_that_runs_like_the_others(
    converted: Converted, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, _ = select_images(demo_set / "calibration" / "images", 4, seed=0)
    write_manifest(manifest, tmp_path / "calibration.json")
    output = tmp_path / "v2_int8_fp16.onnx"
    photographs = demo_set / "evaluation" / "images"
    arguments = ["onnx", "--model", str(converted.onnx), "--photographs", str(photographs)]
    arguments += ["--recipe", str(ROOT / "quantize" / "recipes" / "featherface_v2_int8_fp16.json")]
    arguments += ["--output", str(output), "--checkpoint"]
    assert main([*arguments, str(EMBEDDED)]) == 2
    assert "--calibration" in capsys.readouterr().err
    arguments += [str(EMBEDDED), "--calibration", str(tmp_path / "calibration.json")]
    assert main(arguments) == 0
    record = json.loads(output.with_name(output.name + ".json").read_text())
    assert record["precision"] == "int8_fp16"
    assert record["runtime_kernels"]["QLinearConv"] > 50  # the runtime's own answer: integer kernels
    assert record["made_from"]["float32"]["file"] == converted.onnx.name
    macs = record["macs"]
    assert macs["int8"] / sum(macs.values()) > 0.9
    assert macs["float16"] > 0
    assert output.stat().st_size < converted.onnx.stat().st_size / 2
    outputs = open_model(output).run(converted.photographs[0])  # its spec is inside
    assert [one.shape for one in outputs.values] == list(converted.spec.output_shapes)


@pytest.mark.parametrize(("other", "kind"), [(0.5, "int8"), (0.25, "float32")])
def test_parts_joined_on_different_scales_are_no_integers(other: float, kind: str) -> None:
    """What a convolution reads must have one scale: a runtime joins the two parts in float else."""
    nodes, constants = [], {"zero": np.uint8(0), "w8": np.ones((2, 6, 1, 1), np.int8), "ws": np.float32(0.1)}
    for name, step in (("a", 0.5), ("b", other)):
        constants[f"{name}/scale"] = np.float32(step)
        nodes += [
            helper.make_node("QuantizeLinear", ["image", f"{name}/scale", "zero"], [f"{name}/q"]),
            helper.make_node("DequantizeLinear", [f"{name}/q", f"{name}/scale", "zero"], [name]),
        ]
    nodes += [
        helper.make_node("Concat", ["a", "b"], ["joined"], axis=1),
        helper.make_node("DequantizeLinear", ["w8", "ws"], ["w"]),
        helper.make_node("Conv", ["joined", "w"], ["y"], name="layer"),
    ]
    graph = helper.make_graph(
        nodes,
        "joined",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, SIDE, SIDE])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    expected = {"int8": 0, "float16": 0, "float32": 0} | {kind: SIDE * SIDE * 2 * 6}
    assert weight_census(model) == expected
