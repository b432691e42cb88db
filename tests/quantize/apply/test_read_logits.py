"""A small network whose scores are a softmax of background and face: int8 reads its logits instead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from calibration_data.selection import select_images, write_manifest
from convert.photographs import parity_inputs
from convert.tflite.graph import read_graph
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import name_interface, read_model, spec_inside, write_model
from model.runtime.running import open_model
from quantize.__main__ import main
from quantize.apply.passes.read_logits import read_logits
from quantize.calibrate.bounds import LARGEST_LOGIT
from tests.conftest import ROOT
from tests.quantize.apply.conftest import float_file

SPEC = {
    "network": "paired", "input_height": 64, "input_width": 96,
    "strides": [8, 16], "anchor_sizes": [[8, 16], [32, 48]],
    "channel_order": "RGB", "mean": [0] * 3, "std": [255] * 3, "pad_rgb": [0] * 3, "points": 0,
    "boxes_from": ["boxes"], "scores_from": ["scores"],
}  # fmt: skip


class Paired(nn.Module):
    """Two levels of two anchors; the logits of faces go up to some 20, as those of trained networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.down = nn.Conv2d(16, 16, 3, 2, 1)
        self.box, self.face = nn.ModuleList(), nn.ModuleList()
        for _ in range(2):
            self.box.append(nn.Conv2d(16, 8, 1))
            self.face.append(nn.Conv2d(16, 4, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        near = self.stem(image)
        levels = near, self.down(near).relu()
        boxes, faces = (
            [head(x).permute(0, 2, 3, 1).reshape(1, -1, size) for head, x in zip(heads, levels, strict=True)]
            for heads, size in ((self.box, 4), (self.face, 2))
        )
        return torch.cat(boxes, 1), torch.cat(faces, 1).softmax(-1)


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The float file, photographs beside it."""
    torch.manual_seed(0)
    module = Paired()
    for name, weight in module.named_parameters():
        if name.startswith("face") and name.endswith("weight"):
            nn.init.normal_(weight, std=40)
    return float_file(tmp_path_factory.mktemp("paired"), module, SPEC)[1]


def _spec(file: Path) -> DetectorSpec:
    spec = spec_inside(file)
    assert spec is not None
    return spec


def test_int8_tells_sure_faces_apart(
    paired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs, manifest = paired.parent / "photographs", tmp_path / "manifest.json"
    write_manifest(select_images(photographs, 6, 0)[0], manifest)
    made, recipe = tmp_path / "made.tflite", ROOT / "quantize" / "recipes" / "int8.json"
    command = ["apply", "--model", str(paired), "--recipe", str(recipe), "--calibration", str(manifest)]
    assert main([*command, "--photographs", str(photographs), "--output", str(made)]) == 0
    assert "scores are read as sigmoid(scores)" in capsys.readouterr().out

    graph, spec = read_graph(made), _spec(made)
    assert "SOFTMAX" not in {one.kind for one in graph.operators}
    assert (spec.scores_from, spec.score_channels) == (("sigmoid(scores)",), 1)
    scores = next(graph.tensors[index] for index in graph.outputs if graph.tensors[index].name == "scores")
    assert scores.type == "int8"
    assert scores.scales == pytest.approx(2 * LARGEST_LOGIT / 255)
    reference, file = open_model(paired), open_model(made)
    pairs = [(reference(one)[1][0, :, 1], file(one)[1][0, :, 0]) for one in parity_inputs(photographs, spec)]
    before, after = (np.concatenate(column) for column in zip(*pairs, strict=True))
    assert np.abs(before - after).mean() < 0.03
    assert len(np.unique(after[after > 255.5 / 256])) > 10  # a SOFTMAX in int8 has one such value


def test_the_pass_changes_no_answer_and_halves_the_heads(paired: Path, tmp_path: Path) -> None:
    model, before = read_model(paired), _spec(paired)
    spec = read_logits(model, before)
    path = tmp_path / "logits.tflite"
    name_interface(model, spec)
    write_model(model, path)
    whole, file = open_model(paired), open_model(path)
    for image in parity_inputs(paired.parent / "photographs", before):
        (boxes, scores, _), (same, faces, _) = whole(image), file(image)
        np.testing.assert_array_equal(boxes, same)
        np.testing.assert_allclose(scores[..., 1:], faces, 0, 1e-6)
    macs = [sum(one.macs for one in read_graph(each).operators) for each in (paired, path)]
    assert macs[0] - macs[1] == (8 * 12 + 4 * 6) * 16 * 2


@pytest.mark.parametrize(
    "fields",
    [
        {"score_channels": 1},
        {"classes": ("face", "mask")},
        {"decoder": "cell_sizes"},
        {"scores_from": ("scores[0:2]",)},
        {"scores_from": ("boxes",)},
    ],
    ids=["one column", "two classes", "objectness", "part of an output", "no softmax"],
)
def test_other_scores_stay(paired: Path, fields: dict[str, object]) -> None:
    model = read_model(paired)
    before = [len(model.subgraphs[0].operators), *model.subgraphs[0].outputs]
    spec = replace(_spec(paired), **fields)  # type: ignore[arg-type]
    assert read_logits(model, spec) is spec
    assert [len(model.subgraphs[0].operators), *model.subgraphs[0].outputs] == before


def test_logits_that_are_read_elsewhere_stay(paired: Path) -> None:
    model, spec = read_model(paired), _spec(paired)
    graph = model.subgraphs[0]
    names = [one.name.decode() for one in graph.tensors]
    graph.outputs = np.array([*graph.outputs, names.index("face/1")], np.int32)
    assert read_logits(model, spec) is spec
