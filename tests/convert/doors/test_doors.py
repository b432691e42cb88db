"""Foreign networks through every door: a function's module, its ONNX file, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from convert.doors import open_network
from model.foundation.artifact import Artifact
from model.foundation.errors import InputError
from model.runtime.running import open_model
from tests.conftest import ROOT, kept

MODULE = '''
"""Two foreign detectors of a few layers: two anchors a cell; objectness and classes apart."""
from torch import nn
import torch

def _rows(map, channels):
    return map.permute(0, 2, 3, 1).reshape(1, -1, channels)

class Scrfd(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU())
        self.level8 = nn.Conv2d(16, 16, 3, 2, 1)
        self.level16 = nn.Conv2d(16, 16, 3, 2, 1)
        self.heads = nn.ModuleList(nn.Conv2d(16, 2 * width, 1) for width in (1, 4, 10))

    def forward(self, image):
        first = self.level8(self.stem(image)).relu()
        levels = [first, self.level16(first).relu()]
        found = [_rows(head(level), width) for head, width in zip(self.heads, (1, 4, 10)) for level in levels]
        return tuple(found[2:4]) + tuple(one.sigmoid() for one in found[:2]) + tuple(found[4:])

class Yunet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2))
        self.level8 = nn.Conv2d(16, 16, 3, 2, 1)
        self.heads = nn.ModuleList(nn.Conv2d(16, width, 1) for width in (4, 1, 10, 1))

    def forward(self, image):
        level = self.level8(self.stem(image)).relu()
        boxes, face, points, objectness = (_rows(head(level), head.out_channels) for head in self.heads)
        return boxes, face.sigmoid(), points, objectness.sigmoid()

def scrfd(): return Scrfd()
def yunet(): return Yunet()
def fails(): raise ValueError("no weights here")
def number(): return 3
'''
SCRFD = {
    "network": "small_scrfd", "input_height": 64, "input_width": 96,
    "channel_order": "RGB", "mean": [127.5] * 3, "std": [128] * 3, "pad_rgb": [127] * 3,
    "decoder": "cell_distances", "strides": [8, 16], "anchor_sizes": [[16, 32], [64, 128]],
    "score_channels": 1,
    "boxes_from": ["b8", "b16"], "scores_from": ["s8", "s16"], "landmarks_from": ["k8", "k16"],
}  # fmt: skip
YUNET = {
    "network": "small_yunet", "input_height": 64, "input_width": 96,
    "channel_order": "BGR", "mean": [0] * 3, "pad_rgb": [0] * 3,
    "decoder": "cell_sizes", "strides": [8], "anchor_sizes": [[8]], "score_channels": 2,
    "boxes_from": ["box"], "scores_from": ["cls"], "landmarks_from": ["kps"], "objectness_from": ["obj"],
}  # fmt: skip


def _write_foreign(folder: Path) -> None:
    """Somebody's module, weights, ONNX files and specs."""
    (folder / "foreign_detectors.py").write_text(MODULE)
    origin = importlib.util.spec_from_file_location("foreign_detectors", folder / "foreign_detectors.py")
    made = importlib.util.module_from_spec(origin)
    origin.loader.exec_module(made)
    torch.manual_seed(0)
    for name, spec in (("scrfd", SCRFD), ("yunet", YUNET)):
        (folder / f"{name}.json").write_text(json.dumps(spec))
        module = getattr(made, name)().eval()
        torch.save(module.state_dict(), folder / f"{name}.pth")
        names = [
            *spec["boxes_from"],
            *spec["scores_from"],
            *spec["landmarks_from"],
            *spec.get("objectness_from", ()),
        ]
        torch.onnx.export(
            module, (torch.zeros(1, 3, 64, 96),), folder / f"{name}.onnx", output_names=names, dynamo=True,
            verbose=False, external_data=False,
        )  # fmt: skip


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that somebody has; the working folder."""
    kept_folder = kept("foreign", [str(Path(__file__).relative_to(ROOT))], _write_foreign)
    shutil.copytree(kept_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "foreign_detectors", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["scrfd", "yunet"])
def test_a_function_and_its_onnx_file_are_one_network(name: str, foreign: Path) -> None:
    spec = foreign / f"{name}.json"
    through = open_network(foreign / f"{name}.pth", f"foreign_detectors:{name}", spec)
    exported = open_network(foreign / f"{name}.onnx", spec=spec)
    assert through.spec == exported.spec
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for one, other in zip(through.network(image), exported.network(image), strict=True):
            np.testing.assert_allclose(one.reshape(-1), other.reshape(-1), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scrfd", "yunet"])
def test_an_onnx_file_becomes_a_tflite_file(name: str, foreign: Path, demo_set: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "convert", "--model", str(foreign / f"{name}.onnx"), "--spec",
         str(foreign / f"{name}.json"), "--photographs", str(demo_set / "evaluation" / "images"),
         "--output", str(foreign / "build")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = foreign / "build" / f"small_{name}_64x96_float32.tflite"
    assert Artifact.load(made).record["made_from"]["checkpoint"]["file"] == f"{name}.onnx"
    spec = open_network(foreign / f"{name}.onnx", spec=foreign / f"{name}.json").spec
    original, converted = open_model(foreign / f"{name}.onnx", spec), open_model(made)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    for one, other in zip(original(pixels), converted(pixels), strict=True):
        np.testing.assert_allclose(other, one, atol=2e-3)


@pytest.mark.parametrize(
    ("source", "network", "spec", "message"),
    [
        ("scrfd.onnx", "", None, "say how to feed and read it with --spec"),
        ("scrfd.pth", "foreign_detectors:scrfd", None, "--spec"),
        ("scrfd.pth", "featherface_v1", "scrfd.json", "package.module:function"),
        ("absent.onnx", "", "scrfd.json", "absent.onnx"),
        ("scrfd.onnx", "", "yunet.json", "the spec names box, cls, kps, obj; the file has the outputs b8"),
        ("scrfd.pth", "foreign_detectors:fails", "scrfd.json", "ValueError: no weights here"),
        ("scrfd.pth", "foreign_detectors:number", "scrfd.json", "returned a int; expected an nn.Module"),
        ("scrfd.pth", "foreign_detectors:absent", "scrfd.json", "AttributeError"),
        ("scrfd.pth", "foreign_detectors:yunet", "yunet.json", "is no foreign_detectors:yunet checkpoint"),
        ("scrfd.pth", "foreign_detectors:scrfd", "yunet.json", "returns 6 output(s), the spec describes 4"),
        ("broken.onnx", "", "scrfd.json", "no ONNX file"),
        ("odd.onnx", "", "odd.json", "cannot be converted: org.example.MyLayer"),
    ],
)
def test_what_cannot_be_opened_is_said(
    source: str, network: str, spec: str | None, message: str, foreign: Path
) -> None:
    (foreign / "broken.onnx").write_bytes(b"no protobuf at all")
    two = {"points": 0, "boxes_from": ["y[0:4]"], "scores_from": ["y[4:6]"]}
    odd = {**YUNET, "objectness_from": [], "landmarks_from": [], **two}
    (foreign / "odd.json").write_text(json.dumps(odd))
    graph = helper.make_graph(
        [helper.make_node("MyLayer", ["x"], ["y"], domain="org.example")],
        "odd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 64, 96))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 96, 6))],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("org.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), foreign / "odd.onnx")
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(")", r"\)")):
        open_network(foreign / source, network, None if spec is None else foreign / spec)
