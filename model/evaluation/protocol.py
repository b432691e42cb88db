"""The input protocol: how an image reaches the network. It moves AP by tens of points: state it always."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from model.evaluation.average_precision import SCORE_FLOOR
from model.foundation.errors import InputError
from model.foundation.records import to_json
from model.geometry.boxes import MIRRORED_POINTS, Detections, detect, nms
from model.geometry.letterbox import Letterbox, Pixels, letterbox
from model.geometry.spec import MAX_SIDE, DetectorSpec
from model.runtime.running import RawOutputs, RunningModel


@dataclass(frozen=True)
class InputProtocol:
    """How images are fed and what counts as a detection.

    Attributes:
        fit: "letterbox" scales each image to fit the model's size; "original" keeps its pixels and
            pads right and bottom to a multiple of the largest stride (PyTorch and dynamic ONNX only).
        scales: Factors on the image size, all run and merged by suppression; (1.0,) is single-scale.
            More than one, or another one, needs "original".
        flip: Also run the mirrored image and merge ("original" only).
        score_floor: Detections below are dropped.
    """

    fit: Literal["letterbox", "original"] = "letterbox"
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    score_floor: float = SCORE_FLOOR

    def __post_init__(self) -> None:
        if self.fit not in ("letterbox", "original"):
            raise InputError(f"protocol: expected letterbox or original, found {self.fit!r}")
        if not self.scales or not all(math.isfinite(scale) and 0.05 <= scale <= 8 for scale in self.scales):
            raise InputError(f"scales: expected factors from 0.05 to 8, found {list(self.scales)}")
        if self.fit == "letterbox" and (self.scales != (1.0,) or self.flip):
            raise InputError(
                "several scales and flips need the protocol 'original': a letterbox has one size"
            )
        if not 0 <= self.score_floor < 1:
            raise InputError(f"score floor: expected 0 to 1, found {self.score_floor}")

    def to_json(self) -> dict[str, Any]:
        """JSON values that name every setting."""
        return dict(to_json(self))

    def describe(self, spec: DetectorSpec) -> str:
        """One phrase for a table: the fit, the size, the floor and the suppression."""
        if self.fit == "letterbox":
            size = f"letterbox to {spec.input_height}x{spec.input_width}"
        else:
            size = "original size, padded"
            size += (
                f", scales {'/'.join(f'{scale:g}' for scale in self.scales)}" if self.scales != (1.0,) else ""
            )
            size += ", flipped too" if self.flip else ""
        return f"{size}, score > {self.score_floor:g}, NMS IoU {spec.nms_iou:g}"


LETTERBOX = InputProtocol()
"""Letterboxed to the model's size, score floor 0.02: what is meant where nothing is said."""


def input_scale(protocol: InputProtocol, spec: DetectorSpec, height: int, width: int) -> float:
    """Pixels of the network's input per pixel of an image of this size (at scale 1)."""
    if protocol.fit == "letterbox":
        return min(spec.input_height / height, spec.input_width / width)
    return min(1.0, _largest(spec) / max(height, width))


def detect_image(model: RunningModel, image_rgb: Pixels, protocol: InputProtocol = LETTERBOX) -> Detections:
    """Run a model on one image under a protocol.

    Args:
        model: Any runtime; decoding is the same for all.
        image_rgb: uint8 [H, W, 3].
        protocol: How to feed it.

    Returns:
        Detections in pixels of the image, best score first, clipped to nothing.

    Raises:
        InputError: the model cannot run at the size that the protocol asks for, or its outputs are
            not finite or contradict its spec.
    """
    if protocol.fit == "letterbox":
        return detect_letterboxed(model, *letterbox(image_rgb, model.spec), protocol)
    parts = []
    for scale in protocol.scales:
        for mirrored in (False, True) if protocol.flip else (False,):
            pixels, fitted = _padded(image_rgb[:, ::-1] if mirrored else image_rgb, model.spec, scale)
            found = fitted.to_image(_detect(model, pixels, protocol))
            parts.append(_mirrored(found, image_rgb.shape[1]) if mirrored else found)
    return parts[0] if len(parts) == 1 else _merged(parts, model.spec)


def detect_letterboxed(
    model: RunningModel,
    pixels: Pixels,
    fitted: Letterbox,
    protocol: InputProtocol,
    seen: Callable[[RawOutputs], None] | None = None,
) -> Detections:
    """The same for an image that was letterboxed before.

    Args:
        model: See `detect_image`.
        pixels: uint8 RGB [H, W, 3] of the spec's size.
        fitted: The way back to the image.
        protocol: Its score floor counts.
        seen: Is given the model's raw outputs.
    """
    return fitted.to_image(_detect(model, pixels, protocol, seen))


def _detect(
    model: RunningModel,
    pixels: Pixels,
    protocol: InputProtocol,
    seen: Callable[[RawOutputs], None] | None = None,
) -> Detections:
    spec = model.spec_at(*pixels.shape[:2])
    outputs = model.run(pixels)
    if seen is not None:
        seen(outputs)
    try:
        return detect(*outputs.values, spec, protocol.score_floor)
    except InputError as error:
        raise InputError(f"{model.path}: {error}") if str(model.path) not in str(error) else error from None


def _largest(spec: DetectorSpec) -> int:
    return MAX_SIDE // max(spec.strides) * max(spec.strides)


def _padded(image_rgb: Pixels, spec: DetectorSpec, scale: float) -> tuple[Pixels, Letterbox]:
    """Scale by a factor (limited to MAX_SIDE), then pad to a multiple of the largest stride."""
    height, width = image_rgb.shape[:2]
    scale = min(scale, _largest(spec) / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = (
        image_rgb if size == (width, height) else cv2.resize(image_rgb, size, interpolation=cv2.INTER_LINEAR)
    )
    step = max(spec.strides)
    canvas = np.empty((-(-size[1] // step) * step, -(-size[0] // step) * step, 3), np.uint8)
    canvas[:] = spec.pad_rgb
    canvas[: size[1], : size[0]] = resized
    return canvas, Letterbox(scale, height, width)


def _mirrored(found: Detections, width: int) -> Detections:
    boxes = found.boxes_xyxy.copy()
    boxes[:, [0, 2]] = width - found.boxes_xyxy[:, [2, 0]]
    points = found.landmarks[:, MIRRORED_POINTS].copy()
    points[..., 0] = width - points[..., 0]
    return Detections(boxes, found.scores, points, found.classes)


def _merged(parts: list[Detections], spec: DetectorSpec) -> Detections:
    boxes = np.concatenate([part.boxes_xyxy for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    points = np.concatenate([part.landmarks for part in parts])
    classes = np.concatenate([part.classes for part in parts])
    kept = nms(boxes, scores, spec.nms_iou, spec.max_detections, classes)
    return Detections(boxes, scores, points, classes)[kept]
