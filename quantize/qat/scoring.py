"""Average precision of whatever answers for pictures: a mirror, or the file it stands for."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from calibration_data.images import load_rgb
from calibration_data.readers import LabelledImage
from model.evaluation.average_precision import SCORE_FLOOR, Truth, match
from model.geometry.boxes import detect
from model.geometry.letterbox import Pixels, letterbox
from model.geometry.spec import DetectorSpec
from model.runtime.running import Answer, Answers
from quantize.qat.mirror import Mirror


def runs_of(mirror: Mirror) -> Answers:
    """A mirror as a function of pictures."""

    def run(input_rgb: Pixels) -> Answer:
        device = mirror.scales.logarithm.device
        with torch.no_grad():
            outputs = mirror.answer(torch.from_numpy(input_rgb[None]).to(device))
        boxes, scores, landmarks = (output.cpu().numpy() for output in outputs)
        return boxes, scores, landmarks

    return run


def average_precision(run: Answers, spec: DetectorSpec, images: Sequence[LabelledImage]) -> float:
    """AP at IoU 0.5, all points, score floor 0.02, NMS 0.4, photographs letterboxed to the spec's size."""
    found, truth = [], []
    for image in images:
        fitted, box = letterbox(load_rgb(image.path), spec)
        found.append(box.to_image(detect(*run(fitted), spec, SCORE_FLOOR)))
        truth.append(Truth.of(image.boxes_xyxy, image.ignore))
    return match(found, truth).average_precision()
