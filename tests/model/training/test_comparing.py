import json

import numpy as np
import pytest
import torch

from model.__main__ import main
from model.geometry.boxes import Detections
from model.networks.featherface_v2 import FeatherFaceV2
from model.training import comparing
from model.training.comparing import compare_on
from model.training.photographs import Photograph, read_folder


class Fake:
    """Stands for a network: finds the marked faces of the drawn photographs, moved and scored as told."""

    def __init__(self, photographs, move, score):
        self.answers = iter([(p.image.boxes_xyxy + move, score) for p in photographs])


@pytest.fixture
def fake_detection(monkeypatch):
    def found(network, name, image, size):
        boxes, score = next(network.answers)
        count = len(boxes)
        scores = np.full(count, score, np.float32)
        return Detections(boxes.astype(np.float32), scores, np.zeros((count, 5, 2), np.float32))

    monkeypatch.setattr(comparing, "found_in", found)


@pytest.mark.parametrize(("move", "expected"), [(0, 1.0), (3, 1.0), (500, 0.0)])
def test_labelled_sets_are_held_against_their_labels(fake_detection, labelled_folder, move, expected):
    photographs = read_folder(labelled_folder)
    pair = [("x", Fake(photographs, shift, 0.9)) for shift in (move, 0)]
    found = compare_on(photographs, "drawn", 320, *pair)
    assert (found.photographs, found.faces) == (40, 60)
    assert found.candidate == expected and found.reference == 1.0


@pytest.mark.parametrize(("score", "faces"), [(0.9, 60), (0.3, 0)])
def test_unlabelled_sets_are_held_against_what_the_reference_shows(
    fake_detection, labelled_folder, score, faces
):
    photographs = read_folder(labelled_folder)
    bare = [Photograph(p.image, p.folder, False) for p in photographs]
    found = compare_on(
        bare, "bare", 320, ("x", Fake(photographs, 2, 0.9)), ("x", Fake(photographs, 0, score))
    )
    assert found.faces == faces and found.reference is None
    assert found.candidate == (1.0 if faces else None)


def test_command(labelled_folder, tmp_path, capsys):
    torch.manual_seed(0)
    torch.save(FeatherFaceV2().state_dict(), tmp_path / "any.pth")
    weights = ["--checkpoint", str(tmp_path / "any.pth"), "--reference", str(tmp_path / "any.pth")]
    sets = ["--data", str(labelled_folder), "--aside", str(labelled_folder), "--sizes", "64"]
    output = tmp_path / "figures.json"
    command = ["compare", *weights, "--reference-network", "featherface_v2", *sets, "--output", str(output)]
    assert main(command) == 0
    figures = json.loads(output.read_text())["sets"]
    assert [one["name"] for one in figures] == ["drawn_train", "drawn_train (held aside)"]
    assert figures[0]["candidate"] == figures[0]["reference"]
    assert figures[1]["photographs"] < 8
    assert "drawn_train" in capsys.readouterr().out
