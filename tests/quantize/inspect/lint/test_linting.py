"""Each rule of `lint` finds what was planted, and nothing in the sound version of the same graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from convert.onnx_file.graph import OnnxGraph
from model.runtime.onnx_file import read_onnx
from quantize.__main__ import main
from quantize.inspect.lint.findings import Finding
from quantize.inspect.lint.linting import lint, print_findings
from quantize.inspect.lint.rules import RULES
from tests.conftest import Converted

SHAPE = [1, 4, 8, 8]


def _model(
    nodes: list[Any], outputs: dict[str, list[int]], constants: dict[str, NDArray[Any]] | None = None
) -> Any:
    """A graph that reads `image` [1, 4, 8, 8]."""
    graph = helper.make_graph(
        nodes,
        "planted",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model)
    return model


def _found(model: Any) -> list[Finding]:
    return lint(OnnxGraph.of(model), weights=True)


def _rules(model: Any) -> list[str]:
    return [one.rule for one in _found(model)]


def _one(*nodes: Any, constants: dict[str, NDArray[Any]] | None = None) -> Any:
    return _model(list(nodes), {"y": SHAPE}, constants)


def _chain(first: NDArray[np.float32], second: NDArray[np.float32]) -> Any:
    """Two 1x1 convolutions with a ReLU between; weights [O, I]."""
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="first:1"),
        helper.make_node("Conv", ["b", "w2"], ["y"], name="second"),
    ]
    return _one(*nodes, constants={"w1": first[:, :, None, None], "w2": second[:, :, None, None]})


def test_nothing_is_said_of_a_sound_graph() -> None:
    nodes = [
        helper.make_node("Relu", ["image"], ["a"]),
        helper.make_node("Clip", ["a", "zero", "six"], ["gate"]),
        helper.make_node("Mul", ["a", "gate"], ["y"]),
    ]
    model = _one(*nodes, constants={"zero": np.float32(0), "six": np.float32(6)})
    assert _found(model) == []


@pytest.mark.parametrize(
    ("nodes", "rule"),
    [
        ([helper.make_node("LeakyRelu", ["image"], ["y"], name="stem", alpha=0.1)], "leaky_relu"),
        (
            [
                helper.make_node("Sigmoid", ["image"], ["s"], name="stem"),
                helper.make_node("Mul", ["s", "image"], ["y"], name="stem:1"),
            ],
            "swish",
        ),
        ([helper.make_node("HardSwish", ["image"], ["y"], name="stem")], "swish"),
        ([helper.make_node("Exp", ["image"], ["y"], name="stem")], "unbounded"),
        ([helper.make_node("Mul", ["image", "image"], ["y"], name="stem")], "unbounded"),
        ([helper.make_node("Floor", ["image"], ["y"], name="stem")], "float_only"),
        (
            [helper.make_node("Resize", ["image", "", "", "sizes"], ["y"], name="stem", mode="nearest")],
            "float_only",
        ),
    ],
)
def test_a_planted_operator_is_found_by_its_layer(nodes: list[Any], rule: str) -> None:
    (finding,) = _found(_one(*nodes, constants={"sizes": np.array(SHAPE)}))
    assert (finding.rule, finding.layer) == (rule, "stem")
    assert finding.reason
    assert finding.remedy


def test_a_row_number_computed_from_the_image_is_a_coordinate() -> None:
    """A table of 512 rows makes a level two rows wide; the same look-up by constants is sound."""
    table = np.ones((512, 8), np.float32)

    def model(indices: str) -> Any:
        nodes = [
            helper.make_node("Floor", ["image"], ["f"], name="offsets"),
            helper.make_node("Cast", ["f"], ["rows"], name="offsets:1", to=TensorProto.INT64),
            helper.make_node("Gather", ["table", indices], ["g"], name="sampling"),
            helper.make_node("ReduceMean", ["g"], ["y"], name="sampling:1", keepdims=0),
        ]
        constants = {"table": table, "fixed": np.zeros(SHAPE, np.int64)}
        return _model(nodes, {"y": []}, constants)

    found = {one.rule: one for one in _found(model("rows"))}
    assert found["deformable_sampling"].layer == found["coordinates"].layer == "sampling"
    assert "a level 2 positions wide" in found["coordinates"].reason
    assert {"deformable_sampling", "coordinates"}.isdisjoint(_rules(model("fixed")))


def _heads(kind: str) -> Any:
    """Two heads joined on the last axis (boxes and probabilities), on the anchors' axis, or not at all."""
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], name="boxes_head"),
        helper.make_node("Conv", ["image", "v"], ["b"], name="scores_head"),
        helper.make_node("Sigmoid", ["b"], ["p"], name="probabilities"),
    ]
    constants = {name: np.ones((4, 4, 1, 1), np.float32) for name in "wv"}
    if kind == "apart":
        return _model(nodes, {"a": SHAPE, "p": SHAPE}, constants)
    joined = ["a", "p"] if kind == "mixed" else ["a", "b"]
    axis, shape = {"mixed": (1, [1, 8, 8, 8]), "last": (3, [1, 4, 8, 16]), "levels": (2, [1, 4, 16, 8])}[kind]
    nodes.append(helper.make_node("Concat", joined, ["y"], name="joined", axis=axis))
    return _model(nodes, {"y": shape, **({"p": SHAPE} if kind != "mixed" else {})}, constants)


@pytest.mark.parametrize(
    ("kind", "levels"), [("apart", []), ("mixed", ["error"]), ("last", ["error"]), ("levels", ["warning"])]
)
def test_joined_outputs(kind: str, levels: list[str]) -> None:
    found = [one for one in _found(_heads(kind)) if one.rule == "joined_outputs"]
    assert [one.level for one in found] == levels
    for one in found:
        assert one.layer == "y"
        assert "boxes_head" in one.reason


@pytest.mark.parametrize(
    ("axis", "shape", "level"),
    [
        (1, [1, 64, 4], "warning"),
        (2, [1, 32, 8], "error"),
        (2, [1, 4, 64], "warning"),
        (1, [1, 8, 32], "error"),
    ],
)
def test_rows_of_levels_are_no_different_quantities(axis: int, shape: list[int], level: str) -> None:
    """Levels one behind the other, whether candidates or channels come last; and channels side by side."""
    half = [side // 2 if place == axis else side for place, side in enumerate(shape)]
    nodes = [helper.make_node("Conv", ["image", "w"], [f"{one}_map"], name=one) for one in "ab"]
    nodes += [helper.make_node("Reshape", [f"{one}_map", "rows"], [one], name=f"{one}_rows") for one in "ab"]
    nodes.append(helper.make_node("Concat", ["a", "b"], ["y"], name="joined", axis=axis))
    side = int(np.prod(half)) // 64
    constants = {"w": np.ones((side, 4, 1, 1), np.float32), "rows": np.array(half)}
    (finding,) = _found(_model(nodes, {"y": shape}, constants))
    assert (finding.rule, finding.level) == ("joined_outputs", level)


def test_an_amplified_quiet_channel_is_found(rng: np.random.Generator) -> None:
    """What equalization repairs: the function stays the same, the middle's channel is 1,000x smaller."""
    first, second = (rng.uniform(0.5, 1, (4, 4)).astype(np.float32) for _ in range(2))
    assert _rules(_chain(first, second)) == []
    first[2] /= 1000
    second[:, 2] *= 1000
    (finding,) = _found(_chain(first, second))
    assert (finding.rule, finding.layer) == ("uneven_channels", "first")
    assert finding.reason.startswith("1 of 4 channels")


def test_a_dead_channel_is_no_defect(rng: np.random.Generator) -> None:
    """Batch norms leave channels of next to nothing, which no layer hears; so does an exact zero."""
    first, second = (rng.uniform(0.5, 1, (4, 4)).astype(np.float32) for _ in range(2))
    first[2] *= 1e-6
    first[3] = 0
    assert _rules(_chain(first, second)) == []


def test_weights_that_only_make_up_for_their_inputs_are_no_defect(rng: np.random.Generator) -> None:
    """A depthwise layer whose weights differ by 500x because what it reads differs inversely by 50x."""
    first = rng.uniform(0.9, 1, (4, 4)).astype(np.float32)
    first[1] /= 50
    depthwise = np.ones((4, 1, 1, 1), np.float32)
    depthwise[1] = 500
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["a"], name="first"),
        helper.make_node("Conv", ["a", "w2"], ["y"], name="depthwise", group=4),
    ]
    assert _rules(_one(*nodes, constants={"w1": first[:, :, None, None], "w2": depthwise})) == []


@pytest.mark.parametrize("weights", [True, False])
def test_rules_that_could_not_be_checked_are_named(weights: bool, capsys: pytest.CaptureFixture[str]) -> None:
    print_findings("net", [], weights=weights)
    said = capsys.readouterr().out
    names = ", ".join(one.name for one in RULES if one.needs_weights)
    assert names
    assert (f"not checked without --checkpoint: {names}" in said) != weights


def test_without_trained_weights_rules_about_them_are_left_out() -> None:
    first, second = (np.ones((4, 4), np.float32) for _ in range(2))
    first[2] /= 1000
    second[:, 2] *= 1000
    assert lint(OnnxGraph.of(_chain(first, second)), weights=False) == []


def test_v2_has_no_finding_and_its_layers_have_their_names(converted: Converted) -> None:
    graph = OnnxGraph.of(read_onnx(converted.onnx))
    found = [one for one in lint(graph, weights=True) if one.rule != "uneven_channels"]
    assert [one for one in found if one.level != "note"] == []
    names = [node.name for node in graph.nodes]
    assert len(set(names)) == len(names)
    assert {"backbone/stem", "heads/boxes", "attention/0/excite", "scores"} <= set(names)


def test_exit_codes_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, written = tmp_path / "leaky.onnx", tmp_path / "lint.json"
    onnx.save(_one(helper.make_node("LeakyRelu", ["image"], ["y"], name="stem")), path)
    assert main(["lint", str(path), "--json", str(written)]) == 1
    assert "stem" in capsys.readouterr().out
    assert [one["layer"] for one in json.loads(written.read_text())["findings"]] == ["stem"]
    assert main(["lint", str(path), "--level", "error"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["--network", "yolo"], ["--network", "featherface_v2", "--size", "333"], ["absent.onnx"], ["{junk}"],
     ["{junk}", "--network", "featherface_v2"], ["{junk}", "--checkpoint", "a.pth"]],
)  # fmt: skip
def test_bad_input_is_one_line(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"\x08\x07not a model at all")
    assert main(["lint", *(one.format(junk=junk) for one in arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.slow
def test_v1_has_findings_in_the_layers_that_are_known_to_collapse(capsys: pytest.CaptureFixture[str]) -> None:
    """As a network with fresh weights: what its graph is made of, whatever it learned."""
    assert main(["lint", "--network", "featherface_v1", "--size", "64", "--level", "error"]) == 1
    said = capsys.readouterr().out
    for rule in ("deformable_sampling", "coordinates", "joined_outputs", "leaky_relu", "swish"):
        assert rule in said
    assert "ssh3/conv7x7_3/0" in said
