"""Average precision of a network on labelled photographs, letterboxed to a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from calibration_data.images import load_rgb
from model.evaluation.average_precision import SCORE_FLOOR, Truth, match
from model.geometry.boxes import Detections, detect
from model.geometry.letterbox import letterbox, network_input
from model.layers.blocks import Detector
from model.networks import spec_of
from model.training.photographs import Photograph


@dataclass(frozen=True)
class Score:
    """AP at IoU 0.5, all points, score floor 0.02, NMS 0.4.

    Attributes:
        size: Side in pixels that photographs were letterboxed to.
        photographs, faces: How many there were.
        average_precision: 0 to 1.
    """

    size: int
    photographs: int
    faces: int
    average_precision: float


def found_in(network: Detector, name: str, image_rgb: NDArray[np.uint8], size: int) -> Detections:
    """Detections above the score floor, in pixels of the photograph."""
    spec = spec_of(name, size, size)
    fitted, box = letterbox(image_rgb, spec)
    pixels = torch.from_numpy(network_input(fitted, spec)).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        outputs = [output.numpy() for output in network(pixels)]
    return box.to_image(detect(outputs[0], outputs[1], outputs[2], spec, SCORE_FLOOR))


def score(network: Detector, name: str, photographs: Sequence[Photograph], size: int) -> Score:
    """AP of a network (in evaluation mode) on labelled photographs."""
    found, truth = [], []
    for photograph in photographs:
        image = photograph.image
        found.append(found_in(network, name, load_rgb(image.path), size))
        truth.append(Truth.of(image.boxes_xyxy, image.ignore))
    matched = match(found, truth)
    return Score(size, len(found), len(matched.face_image), matched.average_precision())
