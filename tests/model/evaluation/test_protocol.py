"""Input protocols on the embedded network, and models that contradict them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration_data.images import load_rgb
from model.evaluation.protocol import InputProtocol, detect_image
from model.foundation.errors import InputError
from model.geometry.boxes import iou_matrix
from model.networks import spec_of
from model.runtime.running import RawOutputs, RunningModel, open_model
from tests.conftest import EMBEDDED, Converted


def test_original_size_keeps_pixels_and_maps_back(demo_set: Path) -> None:
    model = open_model(EMBEDDED, spec_of("featherface_v2", 96, 128))
    image = load_rgb(demo_set / "evaluation" / "images" / "demo_000.png")[:250, :333]
    image = np.ascontiguousarray(image)
    once = detect_image(model, image, InputProtocol("original", score_floor=0.3))
    both = detect_image(model, image, InputProtocol("original", (0.5, 1.0), flip=True, score_floor=0.3))
    mirrored = detect_image(
        model, np.ascontiguousarray(image[:, ::-1]), InputProtocol("original", score_floor=0.3)
    )
    assert len(once)
    assert len(both) >= len(once)
    surest = once.boxes_xyxy[once.scores.argmax()][None]
    back = mirrored.boxes_xyxy[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [image.shape[1], 0, image.shape[1], 0]
    assert iou_matrix(surest, back).max() > 0.5
    assert iou_matrix(surest, both.boxes_xyxy).max() > 0.5
    assert once.boxes_xyxy.min() > -60
    assert once.boxes_xyxy.max() < 393


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fit": "stretch"}, "expected letterbox or original"),
        ({"scales": (0.5, 1.0)}, "need the protocol 'original'"),
        ({"flip": True}, "need the protocol 'original'"),
        ({"fit": "original", "scales": ()}, "expected factors"),
        ({"fit": "original", "scales": (float("nan"),)}, "expected factors"),
        ({"score_floor": 1.0}, "expected 0 to 1"),
    ],
)
def test_impossible_protocols(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        InputProtocol(**settings)


def test_original_size_needs_a_model_of_any_size(converted: Converted) -> None:
    with pytest.raises(InputError, match="runs at 96x128 only"):
        detect_image(
            open_model(converted.float32), np.zeros((64, 64, 3), np.uint8), InputProtocol("original")
        )


class _Broken(RunningModel):
    """A model whose scores are not numbers."""

    def _run(self, input_rgb: np.ndarray) -> RawOutputs:
        assert input_rgb.dtype == np.uint8
        values = [np.full(shape, np.nan, np.float32) for shape in self.spec.output_shapes]
        return RawOutputs((values[0], values[1], values[2]), (values[0], values[1], values[2]))


def test_outputs_that_are_no_numbers_are_refused() -> None:
    model = _Broken(Path("broken.tflite"), spec_of("featherface_v2", 96, 128))
    with pytest.raises(InputError, match=r"broken\.tflite: output boxes holds NaN"):
        detect_image(model, np.zeros((96, 128, 3), np.uint8), InputProtocol())
