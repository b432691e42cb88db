"""Average precision of a network on labelled photographs, letterboxed to a size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

AT_ONCE = 32
"""Photographs that a GPU looks at side by side; a CPU is faster with one."""


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
    return next(found_in_all(network, name, [image_rgb], size))


def found_in_all(
    network: Detector, name: str, images_rgb: Sequence[NDArray[np.uint8]], size: int
) -> Iterator[Detections]:
    """Detections above the score floor in each photograph, in its pixels."""
    spec = spec_of(name, size, size)
    device = next(network.parameters()).device
    step = AT_ONCE if device.type == "cuda" else 1
    for first in range(0, len(images_rgb), step):
        fitted = [letterbox(image, spec) for image in images_rgb[first : first + step]]
        pixels = torch.from_numpy(np.concatenate([network_input(one[0], spec) for one in fitted]))
        with torch.inference_mode():
            outputs = network(pixels.to(device, memory_format=torch.channels_last))
        each = zip(*(output.cpu().numpy() for output in outputs), strict=True)
        for (boxes, scores, landmarks), (_, box) in zip(each, fitted, strict=True):
            yield box.to_image(detect(boxes, scores, landmarks, spec, SCORE_FLOOR))


def score(network: Detector, name: str, photographs: Sequence[Photograph], size: int) -> Score:
    """AP of a network (in evaluation mode) on labelled photographs."""
    found = [next(found_in_all(network, name, [load_rgb(one.image.path)], size)) for one in photographs]
    truth = [Truth.of(one.image.boxes_xyxy, one.image.ignore) for one in photographs]
    matched = match(found, truth)
    return Score(size, len(found), len(matched.face_image), matched.average_precision())
