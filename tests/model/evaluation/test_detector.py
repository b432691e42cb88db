"""`Detector("x")(image)`, as the README shows it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calibration_data.images import load_rgb
from calibration_data.readers import LabelledImage
from model import Detector
from model.foundation.errors import InputError
from model.geometry.boxes import iou_matrix
from model.networks import spec_of
from tests.conftest import EMBEDDED


def test_faces_of_an_image_by_name_or_as_pixels(demo_faces: list[LabelledImage]) -> None:
    detector = Detector(str(EMBEDDED), spec_of("featherface_v2", 320, 320), score=0.3)
    labelled = max(demo_faces, key=lambda one: float(np.ptp(one.boxes_xyxy[:, 1::2], axis=1).max()))
    found = detector(str(labelled.path))
    assert found.scores.min() > 0.3
    assert iou_matrix(labelled.boxes_xyxy, found.boxes_xyxy).max() > 0.7, "the largest labelled face is found"
    again = detector(load_rgb(labelled.path))
    np.testing.assert_array_equal(again.boxes_xyxy, found.boxes_xyxy)


def test_a_spec_may_be_a_file(tmp_path: Path) -> None:
    spec = spec_of("featherface_v2", 96, 128)
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_json()))
    assert Detector(EMBEDDED, str(tmp_path / "spec.json")).spec == spec


def test_an_absent_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such model file: nothing\.tflite"):
        Detector("nothing.tflite")
