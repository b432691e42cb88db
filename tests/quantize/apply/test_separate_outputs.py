"""A network that joins boxes in pixels and probabilities in one output: int8 ruins it, the pass saves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor, nn

from calibration_data.selection import select_images, write_manifest
from convert.photographs import parity_inputs
from convert.tflite.edit import shape_of
from convert.tflite.graph import read_graph
from model.foundation.artifact import Artifact
from model.geometry.outputs import joined
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import read_model, spec_inside, text, write_model
from model.runtime.running import TorchModel, open_model
from quantize.__main__ import main
from quantize.apply.passes.separate_outputs import separate_outputs, shared_outputs
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import prepared
from quantize.calibrate.meter import measure_ranges
from quantize.recipe import read_recipe
from tests.conftest import ROOT
from tests.quantize.apply.conftest import float_file
from tests.small_tflite import SmallModel

INT8 = ROOT / "quantize" / "recipes" / "int8.json"
SPEC = {
    "network": "joining", "input_height": 64, "input_width": 96,
    "channel_order": "RGB", "mean": [0] * 3, "std": [255] * 3, "pad_rgb": [0] * 3,
    "decoder": "boxes", "strides": [8, 16, 32], "anchor_sizes": [[1], [1], [1]],
    "score_channels": 1, "points": 0,
    "boxes_from": ["near.T[0:4]", "far[1:5]"], "scores_from": ["near.T[4:5]", "far[0:1]"],
}  # fmt: skip


class Joining(nn.Module):
    """Random features of three levels; a cell's box in pixels [cx, cy, w, h] and the face's probability.

    The first output is [1, 4 + 1, N], as YOLOv8 exports it. In the second, [1, N, 1 + 4], each level is
    joined first, then the levels are, so that the last joining is not the one to cut.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.down = nn.Conv2d(16, 16, 3, 2, 1)
        self.box, self.face = nn.Conv2d(16, 4, 1), nn.Conv2d(16, 1, 1)

    def level(self, features: Tensor, stride: int) -> tuple[Tensor, Tensor]:
        height, width = features.shape[2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        corner = torch.stack([x, y, torch.full_like(x, 2), torch.full_like(x, 2)])[None] * float(stride)
        boxes = self.box(features) * stride + corner
        return boxes.reshape(1, 4, -1), self.face(features).reshape(1, 1, -1).sigmoid()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        first = self.stem(image)
        second = self.down(first).relu()
        far = [self.level(second, 16), self.level(self.down(second).relu(), 32)]
        joined_far = [torch.cat([face, box], 1).permute(0, 2, 1) for box, face in far]
        return torch.cat(self.level(first, 8), 1), torch.cat(joined_far, 1)


@dataclass(frozen=True)
class Case:
    """A float file made through the function's door, and photographs."""

    float32: Path
    photographs: Path
    spec: DetectorSpec
    network: nn.Module


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    torch.manual_seed(0)
    module = Joining()
    nn.init.normal_(module.box.weight)
    nn.init.normal_(module.face.weight, std=8)
    opened, float32 = float_file(tmp_path_factory.mktemp("joined"), module, SPEC)
    return Case(float32, float32.parent / "photographs", opened.spec, opened.network)


def _score_errors(case: Case, file: Path) -> tuple[float, int]:
    """Largest error of a score against PyTorch, and how many different scores there are."""
    reference, running = TorchModel(case.network, case.spec), open_model(file)
    inputs = parity_inputs(case.photographs, case.spec)
    pairs = [(reference(image)[1], running(image)[1]) for image in inputs]
    error = max(float(np.abs(one - other).max()) for one, other in pairs)
    return error, len(np.unique([other for _, other in pairs]))


def test_int8_ruins_joined_scores_and_apply_saves_them(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ruined, saved = tmp_path / "ruined.tflite", tmp_path / "saved.tflite"
    recipe = read_recipe(INT8)
    ranges = measure_ranges(case.float32, parity_inputs(case.photographs, case.spec))
    apply_recipe(recipe, case.float32, prepared(ranges, recipe.estimator, case.float32), ruined)
    error, levels = _score_errors(case, ruined)
    assert error > 0.1
    assert levels <= 8

    manifest = tmp_path / "manifest.json"
    write_manifest(select_images(case.photographs, 6, 0)[0], manifest)
    command = ["apply", "--model", str(case.float32), "--recipe", str(INT8), "--calibration", str(manifest)]
    assert main([*command, "--photographs", str(case.photographs), "--output", str(saved)]) == 0
    told = capsys.readouterr().out
    assert all(f"output {name} is cut into its roles" in told for name in ("near", "far"))
    error, levels = _score_errors(case, saved)
    assert error < 0.03
    assert levels > 50
    graph = read_graph(saved)
    assert [graph.tensors[index].name for index in graph.outputs] == [
        "near/boxes",
        "near/scores",
        "far/boxes",
        "far/scores",
    ]
    assert {graph.tensors[index].type for index in graph.outputs} == {"int8"}
    spec = spec_inside(saved)
    record = Artifact.load(saved).record
    assert spec is not None and spec.to_json() == record["spec"]
    point = record["operating_point"]
    assert point["threshold"] == spec.score_threshold
    assert point["float_detections"] > 50
    assert abs(point["detections"] - point["float_detections"]) <= 0.05 * point["float_detections"]
    assert shared_outputs(spec) == []
    statistics = record["output_statistics"]
    assert statistics["images"] == 6
    assert statistics["possible_face"] < statistics["surest_lower_quartile"] <= 1


def test_the_pass_changes_no_value(case: Case, tmp_path: Path) -> None:
    """Without the repair's own proof: the edited graph is run and put together by hand."""
    model = read_model(case.float32)
    spec = separate_outputs(model, case.spec)
    write_model(model, tmp_path / "cut.tflite")
    cut, whole = Interpreter(str(tmp_path / "cut.tflite")), Interpreter(str(case.float32))
    for running in (cut, whole):
        running.allocate_tensors()
    names = [text(entry.name) for entry in model.signatureDefs[0].outputs]
    assert names == ["near/boxes", "near/scores", "far/boxes", "far/scores"]
    for image in parity_inputs(case.photographs, case.spec):
        found = []
        for running in (cut, whole):
            running.set_tensor(running.get_input_details()[0]["index"], image[None].astype(np.float32))
            running.invoke()
            found.append([running.get_tensor(one["index"]) for one in running.get_output_details()])
        boxes, scores, _ = joined(dict(zip(names, found[0], strict=True)), spec)
        near, far = found[1][0][0].T, found[1][1][0]
        right = np.concatenate([near, far[:, [1, 2, 3, 4, 0]]])
        np.testing.assert_array_equal(np.concatenate([boxes[0], scores[0]], 1), right)


def test_a_reshape_may_do_without_options(case: Case) -> None:
    """Its second input says the shape, and litert-torch writes no options."""
    small = SmallModel()
    box, face, joint, out = (
        small.tensor(name, "float32", shape)
        for name, shape in (
            ("box", [1, 8, 8, 4]), ("face", [1, 8, 8, 1]), ("joint", [1, 8, 8, 5]), ("out", [1, 64, 5])
        )
    )  # fmt: skip
    small.add("CONCATENATION", [box, face], [joint], axis=3)
    small.add("RESHAPE", [joint, small.constant("shape", np.array([1, 64, 5], np.int32))], [out])
    small.sign([box, face], [out])
    small.model.signatureDefs[0].outputs[0].name = "out"
    small.graph.outputs = np.array([out], np.int32)
    spec = separate_outputs(
        small.model, replace(case.spec, boxes_from=("out[0:4]",), scores_from=("out[4:5]",))
    )
    assert (spec.boxes_from, spec.scores_from) == (("out/boxes",), ("out/scores",))
    assert [shape_of(small.model, index) for index in small.graph.outputs] == [(1, 64, 4), (1, 64, 1)]


def test_what_more_than_moving_joins_stays(case: Case) -> None:
    """Three channels of a box and one more are no tensor that was joined."""
    model = read_model(case.float32)
    before = [len(model.subgraphs[0].operators), *model.subgraphs[0].outputs]
    odd = replace(case.spec, boxes_from=("far[0:2]",), scores_from=("far[2:5]",))
    assert separate_outputs(model, odd) is odd
    assert [len(model.subgraphs[0].operators), *model.subgraphs[0].outputs] == before
